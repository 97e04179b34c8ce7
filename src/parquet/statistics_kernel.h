/* Least and greatest of dense values. NaN takes no part; among zeros the least is -0.0 and the
 * greatest is +0.0 whatever was seen, as Parquet asks. All expect count > 0. */
#ifndef STOA_PARQUET_STATISTICS_KERNEL_H
#define STOA_PARQUET_STATISTICS_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

void stoa_min_max_i8(const int8_t *values, int64_t count, int8_t *min, int8_t *max);
void stoa_min_max_u8(const uint8_t *values, int64_t count, uint8_t *min, uint8_t *max);
void stoa_min_max_i16(const int16_t *values, int64_t count, int16_t *min, int16_t *max);
void stoa_min_max_u16(const uint16_t *values, int64_t count, uint16_t *min, uint16_t *max);
void stoa_min_max_i32(const int32_t *values, int64_t count, int32_t *min, int32_t *max);
void stoa_min_max_u32(const uint32_t *values, int64_t count, uint32_t *min, uint32_t *max);
void stoa_min_max_i64(const int64_t *values, int64_t count, int64_t *min, int64_t *max);
void stoa_min_max_u64(const uint64_t *values, int64_t count, uint64_t *min, uint64_t *max);

/// False when all are NaN; `has_nan` says whether any is.
bool stoa_min_max_float(const float *values, int64_t count, float *min, float *max, bool *has_nan);
bool stoa_min_max_double(const double *values, int64_t count, double *min, double *max,
                         bool *has_nan);

#endif
