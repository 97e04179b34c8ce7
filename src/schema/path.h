/* Where a field lies: the positions to go through, from the columns down through structs. */
#ifndef STOA_SCHEMA_PATH_H
#define STOA_SCHEMA_PATH_H

#include "schema/internal.h"

typedef struct stoa_field_path {
    int32_t depth;                            /* 1: a column */
    int32_t positions[STOA_SCHEMA_DEPTH_MAX]; /* of each step among its siblings */
    const stoa_field *fields[STOA_SCHEMA_DEPTH_MAX];
} stoa_field_path;

/// False when no field has the id, or it lies within a list or map.
bool stoa_field_path_find(const stoa_schema *schema, int32_t id, stoa_field_path *out);

#endif
