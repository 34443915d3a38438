"""Tables and spectra in and out: formats, units, column names, splits, rows set aside, whole files."""

from nebulium.data.batches import in_batches
from nebulium.data.extinction import deredden, extinction_per_ebv
from nebulium.data.glossary import conversion_factor, lookup
from nebulium.data.ids import hash_ids, rows_of_ids
from nebulium.data.images.mmu import Images, iter_images, read_images, write_images
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import Preparation
from nebulium.data.images.source import ImageChunk, ImageSource, with_bands
from nebulium.data.images.store import ImageStore
from nebulium.data.images.stretches import Stretch
from nebulium.data.output import replace_on_success
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.reading import read_spectra, write_spectra
from nebulium.data.spectra.sdss import read_sdss_lines
from nebulium.data.spectra.spectrum_set import Spectra, air_from_vacuum, vacuum_from_air
from nebulium.data.splits import Split
from nebulium.data.tables.column_mapping import column_mapping
from nebulium.data.tables.reading import iter_table, read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import TableWriter, write_table

__all__ = [
    "ImageChunk",
    "ImageSource",
    "ImageStore",
    "Images",
    "Preparation",
    "Rejects",
    "Spectra",
    "Split",
    "Stretch",
    "Table",
    "TableWriter",
    "air_from_vacuum",
    "column_mapping",
    "conversion_factor",
    "deredden",
    "extinction_per_ebv",
    "hash_ids",
    "in_batches",
    "iter_images",
    "iter_table",
    "lookup",
    "open_images",
    "read_images",
    "read_sdss_lines",
    "read_spectra",
    "read_table",
    "replace_on_success",
    "rows_of_ids",
    "vacuum_from_air",
    "with_bands",
    "write_images",
    "write_spectra",
    "write_table",
]
