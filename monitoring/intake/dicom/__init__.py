"""DICOM objects as rows: headers by an allow-list, reports, masks and registrations as numbers; never free text."""
