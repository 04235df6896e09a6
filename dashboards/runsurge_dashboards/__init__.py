"""What runs inside Bokeh: pure figures over contracts."""
