"""A test for each row of a table of docs/python.md, by what stands first in the row.

    ROWS = Rows("## What differs")      the table below these words

    @ROWS.row("`x.grad`")
    def _(): ...

    test_every_row_of_the_table_is_tried, test_differences = ROWS.tests()
"""
import os
import re
from pathlib import Path

import pytest


class Rows(dict):
    def __init__(self, words):
        page = Path(os.environ["TG_TEST_SOURCE"], "docs/python.md").read_text()
        page = page[page.index(words):]
        table = page[page.index("| | PyTorch | tg |"):].split("\n\n")[0].splitlines()[2:]
        self.of_the_page = [re.split(r" \| ", line.removeprefix("| "))[0] for line in table]

    def row(self, first):
        """Enters the function as what tries that row."""
        return lambda f: self.setdefault(first, f)

    def tests(self):
        """That the page has these rows and no others, and the rows."""
        def every_row_is_tried():
            assert self.of_the_page == list(self)

        @pytest.mark.parametrize("first", self)
        def differences(first, tmp_path):
            f = self[first]
            f(tmp_path) if f.__code__.co_argcount else f()

        return every_row_is_tried, differences
