/* Strings and binaries as dictionary-encoded arrays, with indices of 32 bits.
 *
 * Where all pages of a chunk are codes of its dictionary, the codes are the indices, and batches share
 * one copy of the entries. Values of other chunks are looked up in a table of their batch. So
 * dictionaries differ between batches; the schema does not. */
#ifndef STOA_PARQUET_READ_DICTIONARY_H
#define STOA_PARQUET_READ_DICTIONARY_H

#include "arrow/owner.h"
#include "parquet/chunk_reader.h"

/// The entries of a chunk's dictionary, which arrays share. All-zero is none.
typedef struct stoa_read_entries {
    stoa_keeper *keeper;
    int64_t count;
    const int32_t *offsets;
    const uint8_t *data;
} stoa_read_entries;

/// Copies the entries of the dictionary that `chunk` has loaded.
///
/// Errors   STOA_LIMIT  they have more than 2 GiB
///          STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_read_entries_make(stoa_pool *pool, const stoa_chunk_reader *chunk,
                                                 stoa_read_entries *out, stoa_error *err);
void stoa_read_entries_release(stoa_read_entries *entries);
/// An array over the entries, which it keeps.
STOA_MUST_USE stoa_status stoa_read_entries_array(stoa_pool *pool, const stoa_read_entries *entries,
                                                  struct ArrowArray *out, stoa_error *err);

/// Makes indices of the codes that `chunk` has read into `values`.
///
/// Errors   STOA_CORRUPT  one is beyond the entries
STOA_MUST_USE stoa_status stoa_read_codes_widen(const stoa_chunk_reader *chunk,
                                                stoa_chunk_values *values, stoa_error *err);
/// Makes indices of the byte arrays in `values`, and puts what differs among them into `out`.
STOA_MUST_USE stoa_status stoa_read_values_encode(stoa_pool *pool, stoa_chunk_values *values,
                                                  struct ArrowArray *out, stoa_error *err);

/// Makes the field of strings or binaries `schema` one of a dictionary of them.
STOA_MUST_USE stoa_status stoa_read_dictionary_field(stoa_pool *pool, struct ArrowSchema *schema,
                                                     stoa_error *err);

#endif
