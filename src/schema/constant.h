/* Constants on the grid of a type: integers, decimals and times are whole numbers of steps, and a
 * text may name a point between two steps, or beyond both ends. */
#ifndef STOA_SCHEMA_CONSTANT_H
#define STOA_SCHEMA_CONSTANT_H

#include "schema/internal.h"
#include "schema/predicate.h"

struct stoa_grid {
    __int128 floor; /* the step at or below the point */
    bool exact;     /* the point is that step */
    int32_t huge;   /* -1 or 1: beyond 128 bits, floor says nothing */
};

/// A value of this kind is a whole number of steps: of 1, of 10^-scale, of days, of its unit.
bool stoa_type_has_grid(const stoa_type *type);

/// The first and last step that the type holds.
void stoa_grid_range(const stoa_type *type, __int128 *low, __int128 *high);

/// A value at a step in range.
stoa_value stoa_grid_value(const stoa_type *type, __int128 step);

/// "-12.5e3" in steps of 10^-scale. False: not a number.
bool stoa_grid_from_number(const char *text, size_t size, int32_t scale, struct stoa_grid *out);

typedef enum stoa_zone { STOA_ZONE_NONE, STOA_ZONE_GIVEN } stoa_zone;

/// "2024-02-29", "2024-02-29 12:30:45.5+01:00", in steps of 1 / per_second since 1970, UTC where a
/// zone is given. `*out_day_only` when no time of day stands there. False: not a timestamp.
bool stoa_grid_from_timestamp(const char *text, size_t size, int64_t per_second,
                              struct stoa_grid *out, stoa_zone *out_zone, bool *out_day_only);
/// "12:30:45.5", in steps of 1 / per_second.
bool stoa_grid_from_time(const char *text, size_t size, int64_t per_second, struct stoa_grid *out);
/// "1500 microseconds" and other single units from nanoseconds to weeks.
bool stoa_grid_from_duration(const char *text, size_t size, int64_t per_second,
                             struct stoa_grid *out);

/// The nearest double, or the nearest float as a double; "nan", "inf", "-infinity" too.
bool stoa_float_from_text(const char *text, size_t size, bool single, double *out);
/// 16 bytes from "123e4567-e89b-12d3-a456-426614174000", hyphens optional, in braces or not.
bool stoa_uuid_from_text(const char *text, size_t size, uint8_t out[16]);

int64_t stoa_type_per_second(const stoa_type *type);

#endif
