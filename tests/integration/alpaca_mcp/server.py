"""Runs alpaca-mcp-server over stdio against another trading host: `python server.py BASE_URL`.

It has no setting for the host, so its constant is replaced before the server is built.
"""

import sys

from alpaca_mcp_server import server

server.TRADING_API_BASE_URLS["paper"] = sys.argv[1]
server.build_server().run(transport="stdio", show_banner=False)
