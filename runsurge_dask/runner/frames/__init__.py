"""pandas scripts in chunks: a frame that is read from a file is an expression until somebody looks at it.

    df = pd.read_csv("sales.csv")          a `Source`, after one look over the file: rows, fields, quotes, encoding
    df["total"] = df.units * df.price      a `Node` over it
    df[df.total > 9].to_csv("big.csv")     one stage: every chunk reads its bytes, does both, and gives its text

What is not known to be row-wise or joinable touches the frame's `_mgr`, and that makes it the plain pandas frame that it
would have been: everything not named in `tables` is right by construction.
"""
