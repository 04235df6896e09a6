"""NumPy scripts in chunks: an array that is read or counted out is an expression until somebody looks at it.

    raw = np.load("raw.npy")                     a source, after a look at the file's header
    out = np.clip(gain * (raw - dark), 0, 255)   steps over it; shapes and types are known from the first rows
    print(out.mean())                            one stage: every chunk reads its rows, does both, and gives its part

Only names and expressions that the analysis has followed hold such objects; wherever the script does anything else with
one, it gets the plain array, once. So code that looks at types, buffers or views meets nothing but NumPy's own arrays.
"""
