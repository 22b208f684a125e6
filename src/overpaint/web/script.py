"""What Streamlit runs for each visitor and each change."""

import sys

from overpaint.web.app import page
from overpaint.web.options import read_options

page(read_options(sys.argv[1:]))
