"""What docs/performance.md shows of the results: its tables and charts, made by docs/make-performance.

    results.py   finds the figures in bench/results/*.json
    tables.py    the tables, as Markdown
    svg.py       drawing: axes, bars, lines, labels
    charts.py    the charts
"""
