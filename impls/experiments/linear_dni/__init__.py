"""How deep the synthetic-gradient model should be: linear M, and the choice on validation against on test error."""
