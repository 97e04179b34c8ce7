/* Bounds as people read them. */
#ifndef STOA_PARQUET_BOUND_PRINT_H
#define STOA_PARQUET_BOUND_PRINT_H

#include "mem/buffer.h"
#include "parquet/footer.h"

/// Appends a value in PLAIN form without a length before it as its type has it: numbers, decimals with
/// their point, dates, times, texts between double quotes (with escapes), UUIDs, and everything else,
/// also what does not have its type's size, as 0x and hexadecimal digits. Texts end after `bytes_max`
/// bytes with "…", bytes after half as many.
STOA_MUST_USE stoa_status stoa_parquet_bound_print(const stoa_parquet_element *element,
                                                   const uint8_t *bytes, size_t size,
                                                   size_t bytes_max, stoa_buffer *out,
                                                   stoa_error *err);

/// Appends text from outside without quotes, control characters escaped so that it moves no cursor, cut
/// after `bytes_max` bytes; what is no UTF-8 as hexadecimal digits.
STOA_MUST_USE stoa_status stoa_parquet_text_print(const char *text, size_t size, size_t bytes_max,
                                                  stoa_buffer *out, stoa_error *err);

/// Appends a type in the format's words, with a name behind the physical type where it is not NULL:
/// "INT64 a", "BYTE_ARRAY (STRING)", "FIXED[16] price (DECIMAL(38,2))", "group list (LIST)".
STOA_MUST_USE stoa_status stoa_parquet_type_print(const stoa_parquet_element *element,
                                                  const char *name, stoa_buffer *out,
                                                  stoa_error *err);

#endif
