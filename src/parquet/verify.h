/* Reading every byte of a Parquet file, and describing it. */
#ifndef STOA_PARQUET_VERIFY_H
#define STOA_PARQUET_VERIFY_H

#include <stoa/context.h>

#include "mem/buffer.h"
#include "parquet/crypto.h"

/// Walks every page of every column chunk: headers decode, pages lie within their chunk and fill it,
/// checksums hold (where there are any), bodies decompress to the size that they promise (unless
/// by a codec that Stoa lacks), value and row counts agree with the footer, page indexes with the
/// pages; values decode, and agree with statistics, bounds and bloom filters (unless their encoding or
/// order is one that Stoa lacks).
///
/// Errors   STOA_CORRUPT  with row group, column, page and byte
///          STOA_INVALID  something is encrypted and `keys` (NULL: none) lacks its key
///          STOA_CANCELLED, STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_parquet_verify(const stoa_context *context, stoa_file *file,
                                              const stoa_parquet_keys *keys, stoa_error *err);

/// Appends what the file holds as one JSON object: version, creator, rows, schema (with field ids and
/// types), row groups (with codecs, encodings, sizes, offsets, counts, bounds as bytes and as text, places
/// of indexes), metadata; with `with_pages` also every page: header, whether its checksum holds, first
/// row and bounds from the page index. Pages of a column that `keys` (NULL: none) does not open are
/// left out.
///
/// Errors   as stoa_parquet_verify; without pages only the footer is read, and an index that does not
///          hold together is said to be corrupt and left aside
STOA_MUST_USE stoa_status stoa_parquet_describe(const stoa_context *context, stoa_file *file,
                                                const stoa_parquet_keys *keys, bool with_pages,
                                                stoa_buffer *out_json, stoa_error *err);

/// The same as lines of text for people, control characters in names and metadata escaped.
STOA_MUST_USE stoa_status stoa_parquet_describe_text(const stoa_context *context, stoa_file *file,
                                                     const stoa_parquet_keys *keys, bool with_pages,
                                                     stoa_buffer *out, stoa_error *err);

#endif
