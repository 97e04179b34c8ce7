/* Values of CSV fields from their bytes. Each takes only the plainest way to write a value, and says
 * no to all others: those are the engine's to read. */
#ifndef STOA_INGEST_CSV_VALUE_KERNEL_H
#define STOA_INGEST_CSV_VALUE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// [-]digits.
bool stoa_csv_long_kernel(const uint8_t *bytes, size_t size, int64_t *out);
/// [-]digits[.digits][e[+-]digits], to the nearest double.
bool stoa_csv_double_kernel(const uint8_t *bytes, size_t size, double *out);
/// YYYY-MM-DD, as days since 1970-01-01.
bool stoa_csv_date_kernel(const uint8_t *bytes, size_t size, int32_t *out);
/// YYYY-MM-DD[ |T]HH:MM:SS[.f to .ffffff], as microseconds since 1970-01-01.
bool stoa_csv_timestamp_kernel(const uint8_t *bytes, size_t size, int64_t *out);

/// Which of up to 64 bytes are `delimiter`, `quote`, '\n' or '\r': bit i is bytes[i].
uint64_t stoa_csv_marks_kernel(const uint8_t *bytes, size_t size, uint8_t delimiter, uint8_t quote);

#endif
