"""Every module of this folder makes one table or figure, or `claims`, `values` or `report`: see `registry`.

It has `TITLE`, `OUTPUT` (the usual place under the results folder) and
`make(results, request) -> {suffix: bytes}`, whose `request` (see `stamps.Request`) has a default.
"""
