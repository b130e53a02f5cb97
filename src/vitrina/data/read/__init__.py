"""Reading logs and tables: files, pipes and frames of any kind become a Dataset, with an account of every decision and every bad row.

`io` has the one public function; `sources` finds what is named, `reader` takes it in chunks, and one module each knows how ids, dates, numbers, encodings and headers are
written.
"""
