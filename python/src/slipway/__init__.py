"""Saves trained models as the folders that Slipway's runtime serves."""

from slipway.comparison import Tolerance
from slipway.digest import digest
from slipway.errors import (
    ConversionMismatch,
    FolderInUse,
    InvalidMetadata,
    InvalidModelFolder,
    MissingExtra,
    RowMismatch,
    SlipwayError,
    UnsupportedModel,
    UnsupportedSample,
)
from slipway.metadata import load_metadata
from slipway.saving import SavedModel, save_model
from slipway.tracking import LoggedModel, log_model

__all__ = [
    "ConversionMismatch",
    "FolderInUse",
    "InvalidMetadata",
    "InvalidModelFolder",
    "LoggedModel",
    "MissingExtra",
    "RowMismatch",
    "SavedModel",
    "SlipwayError",
    "Tolerance",
    "UnsupportedModel",
    "UnsupportedSample",
    "digest",
    "load_metadata",
    "log_model",
    "save_model",
]
