/* The partitions that rows belong to, numbered in the order in which they first come. */
#ifndef STOA_PARQUET_PARTITION_MAP_H
#define STOA_PARQUET_PARTITION_MAP_H

#include "parquet/partition_keys.h"

typedef struct stoa_partition_entry {
    stoa_value *values; /* one a field of the spec */
    uint64_t *numbers;  /* of their keys */
    const char *folder;
} stoa_partition_entry;

/// All-zero but for what init sets is empty.
typedef struct stoa_partition_map {
    stoa_partition_spec *spec; /* borrowed */
    const stoa_schema *schema; /* borrowed */
    stoa_arena arena;
    stoa_partition_entry *entries;
    int32_t count;
    int32_t capacity;
    struct stoa_partition_slot *slots; /* a hash table, at most half full */
    size_t slot_count;
    stoa_partition_keys *keys; /* one a field, of the rows that are looked at */
    int32_t last_id; /* the partition of the row before; -1: none */
} stoa_partition_map;

void stoa_partition_map_init(stoa_partition_map *map, stoa_pool *pool, stoa_partition_spec *spec,
                             const stoa_schema *schema);
/// The partition of each row of `batch` into ids[0..length).
///
/// Errors   STOA_LIMIT  more than 2^20 partitions, or a folder's name is too long
STOA_MUST_USE stoa_status stoa_partition_map_rows(stoa_partition_map *map,
                                                  const struct ArrowArray *batch, int32_t *ids,
                                                  stoa_error *err);
void stoa_partition_map_release(stoa_partition_map *map);

#endif
