"""Public implementations of the paper, timed on this machine beside ours.

One module per peer gives a `Peer` (peer.py): how its checkout is recognised, the cell of ours with its sizes, and a
function that builds its example net by its own interface. known.py lists them. None of their code is here: it is
imported from the reader's checkout.

andrewliao11/dni.pytorch is not among them. Its training loop calls `.cuda()`, `backward(retain_variables=True)` and
`loss.data[0]`: it needs a GPU, and today's PyTorch refuses the other two.
"""
