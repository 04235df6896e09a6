"""Running a script on a small part of its data, in a child that leaves no trace, to see what it needs.

`child` runs it, `pieces` cuts the small part out of a file, `standins` puts it behind `open`, `confine` refuses everything
that would show outside, `weights` says what a value weighs.
"""
