/* Four lanes of running extremes break the chain of dependent comparisons. */
#include "parquet/statistics_kernel.h"

#include <math.h>

#include "base/error.h"

enum { LANES = 4 };

#define DEFINE_INTEGERS(NAME, TYPE)                                                                \
    void stoa_min_max_##NAME(const TYPE *values, int64_t count, TYPE *min, TYPE *max) {            \
        STOA_ASSERT(count > 0);                                                                    \
        TYPE low[LANES], high[LANES];                                                              \
        for (int lane = 0; lane < LANES; lane++) {                                                 \
            low[lane] = high[lane] = values[0];                                                    \
        }                                                                                          \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= count; i += LANES) {                                                   \
            for (int lane = 0; lane < LANES; lane++) {                                             \
                const TYPE value = values[i + lane];                                               \
                low[lane] = value < low[lane] ? value : low[lane];                                 \
                high[lane] = value > high[lane] ? value : high[lane];                              \
            }                                                                                      \
        }                                                                                          \
        for (; i < count; i++) {                                                                   \
            low[0] = values[i] < low[0] ? values[i] : low[0];                                      \
            high[0] = values[i] > high[0] ? values[i] : high[0];                                   \
        }                                                                                          \
        for (int lane = 1; lane < LANES; lane++) {                                                 \
            low[0] = low[lane] < low[0] ? low[lane] : low[0];                                      \
            high[0] = high[lane] > high[0] ? high[lane] : high[0];                                 \
        }                                                                                          \
        *min = low[0];                                                                             \
        *max = high[0];                                                                            \
    }

DEFINE_INTEGERS(i8, int8_t)
DEFINE_INTEGERS(u8, uint8_t)
DEFINE_INTEGERS(i16, int16_t)
DEFINE_INTEGERS(u16, uint16_t)
DEFINE_INTEGERS(i32, int32_t)
DEFINE_INTEGERS(u32, uint32_t)
DEFINE_INTEGERS(i64, int64_t)
DEFINE_INTEGERS(u64, uint64_t)

/* A comparison with NaN is false, so NaN never replaces an extreme; each lane counts the values that
 * equal themselves to find the others. */
#define DEFINE_FLOATS(NAME, TYPE)                                                                  \
    bool stoa_min_max_##NAME(const TYPE *values, int64_t count, TYPE *min, TYPE *max,              \
                             bool *has_nan) {                                                      \
        STOA_ASSERT(count > 0);                                                                    \
        TYPE low[LANES], high[LANES];                                                              \
        int64_t numbers[LANES] = {0};                                                              \
        for (int lane = 0; lane < LANES; lane++) {                                                 \
            low[lane] = (TYPE)INFINITY;                                                            \
            high[lane] = (TYPE)-INFINITY;                                                          \
        }                                                                                          \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= count; i += LANES) {                                                   \
            for (int lane = 0; lane < LANES; lane++) {                                             \
                const TYPE value = values[i + lane];                                               \
                low[lane] = value < low[lane] ? value : low[lane];                                 \
                high[lane] = value > high[lane] ? value : high[lane];                              \
                numbers[lane] += value == value;                                                   \
            }                                                                                      \
        }                                                                                          \
        for (; i < count; i++) {                                                                   \
            low[0] = values[i] < low[0] ? values[i] : low[0];                                      \
            high[0] = values[i] > high[0] ? values[i] : high[0];                                   \
            numbers[0] += values[i] == values[i];                                                  \
        }                                                                                          \
        for (int lane = 1; lane < LANES; lane++) {                                                 \
            low[0] = low[lane] < low[0] ? low[lane] : low[0];                                      \
            high[0] = high[lane] > high[0] ? high[lane] : high[0];                                 \
            numbers[0] += numbers[lane];                                                           \
        }                                                                                          \
        *has_nan = numbers[0] < count;                                                             \
        *min = low[0] == 0 ? (TYPE)-0.0 : low[0];                                                  \
        *max = high[0] == 0 ? (TYPE)0.0 : high[0];                                                 \
        return numbers[0] > 0;                                                                     \
    }

DEFINE_FLOATS(float, float)
DEFINE_FLOATS(double, double)
