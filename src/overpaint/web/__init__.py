"""The local web page: look, compare, repaint, judge, browse runs, watch training. Needs Streamlit."""
