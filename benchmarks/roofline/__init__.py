"""How close every case comes to the limit of the machine, in both frameworks."""
