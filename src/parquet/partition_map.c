/* See partition_map.h. Keys are made field by field for a block of rows (partition_keys.h), then looked up
 * row by row; rows of one partition often follow one another, so a row is compared with the partition of
 * the one before it first. */
#include "parquet/partition_map.h"

#include <string.h>

#include "base/hash.h"

enum { PARTITIONS_MAX = 1 << 20, SLOTS_AT_FIRST = 64, ENTRIES_AT_FIRST = 16 };

struct stoa_partition_slot {
    uint64_t hash;
    int32_t id; /* -1: free */
};

void stoa_partition_map_init(stoa_partition_map *map, stoa_pool *pool, stoa_partition_spec *spec,
                             const stoa_schema *schema) {
    *map = (stoa_partition_map){.spec = spec, .schema = schema, .last_id = -1};
    stoa_arena_init(&map->arena, pool);
}

void stoa_partition_map_release(stoa_partition_map *map) {
    stoa_pool *pool = map->arena.pool;
    stoa_pool_free(pool, map->entries, (size_t)map->capacity * sizeof *map->entries);
    stoa_pool_free(pool, map->slots, map->slot_count * sizeof *map->slots);
    stoa_pool_free(pool, map->keys, (size_t)map->spec->field_count * sizeof *map->keys);
    map->keys = NULL;
    stoa_arena_release(&map->arena);
    map->entries = NULL;
    map->slots = NULL;
    map->count = map->capacity = 0;
    map->slot_count = 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

static uint64_t hash_row(const stoa_partition_map *map, int64_t row) {
    uint64_t hash = 0;
    for (int32_t i = 0; i < map->spec->field_count; i++) {
        hash = stoa_hash_u64(hash * 31 + map->keys[i].numbers[row] + map->keys[i].is_null[row]);
    }
    return hash;
}

static bool is_of(const stoa_partition_map *map, int32_t id, int64_t row) {
    const stoa_partition_entry *entry = &map->entries[id];
    bool same = true;
    for (int32_t i = 0; i < map->spec->field_count && same; i++) {
        same = stoa_partition_key_is(&map->keys[i], row, &entry->values[i], entry->numbers[i]);
    }
    return same;
}

/* Where the row's partition stands, or will. */
static struct stoa_partition_slot *find_slot(const stoa_partition_map *map, uint64_t hash,
                                             int64_t row) {
    for (size_t at = hash & (map->slot_count - 1);; at = (at + 1) & (map->slot_count - 1)) {
        struct stoa_partition_slot *slot = &map->slots[at];
        if (slot->id < 0 || (slot->hash == hash && is_of(map, slot->id, row))) {
            return slot;
        }
    }
}

static stoa_status grow_slots(stoa_partition_map *map, stoa_error *err) {
    size_t count = map->slot_count == 0 ? SLOTS_AT_FIRST : map->slot_count * 2;
    struct stoa_partition_slot *slots = NULL;
    STOA_TRY(stoa_pool_allocate_array(map->arena.pool, count, sizeof *slots, (void **)&slots, err));
    for (size_t i = 0; i < count; i++) {
        slots[i].id = -1;
    }
    for (size_t i = 0; i < map->slot_count; i++) {
        const struct stoa_partition_slot *old = &map->slots[i];
        size_t at = old->hash & (count - 1);
        while (old->id >= 0 && slots[at].id >= 0) {
            at = (at + 1) & (count - 1);
        }
        if (old->id >= 0) {
            slots[at] = *old;
        }
    }
    stoa_pool_free(map->arena.pool, map->slots, map->slot_count * sizeof *slots);
    map->slots = slots;
    map->slot_count = count;
    return STOA_OK;
}

static stoa_status keep_value(stoa_arena *arena, stoa_value *value, stoa_error *err) {
    const char *copy = NULL;
    if (value->is_null || value->size == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_copy_text(arena, (const char *)value->bytes, value->size, &copy, err));
    value->bytes = (const uint8_t *)copy;
    return STOA_OK;
}

static stoa_status fill_entry(stoa_partition_map *map, const stoa_value *values, int64_t row,
                              stoa_partition_entry *entry, stoa_error *err) {
    size_t count = (size_t)map->spec->field_count;
    stoa_buffer folder;
    stoa_buffer_init(&folder, map->arena.pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&map->arena, count, sizeof *values,
                                         (void **)&entry->values, err));
    STOA_CHECK(stoa_arena_allocate_array(&map->arena, count, sizeof *entry->numbers,
                                         (void **)&entry->numbers, err));
    for (size_t i = 0; i < count; i++) {
        entry->values[i] = values[i];
        entry->numbers[i] = map->keys[i].numbers[row];
        STOA_CHECK(keep_value(&map->arena, &entry->values[i], err));
    }
    STOA_CHECK(stoa_partition_path_print(map->spec, values, &folder, err));
    STOA_CHECK(stoa_arena_copy_text(&map->arena, (const char *)folder.data, folder.size,
                                    &entry->folder, err));

done:
    stoa_buffer_release(&folder);
    return status;
}

static stoa_status reserve_entry(stoa_partition_map *map, stoa_error *err) {
    if (map->count == PARTITIONS_MAX) {
        return stoa_fail(err, STOA_LIMIT, "the rows make more than %d partitions", PARTITIONS_MAX);
    }
    if (map->count == map->capacity) {
        int32_t capacity = map->capacity == 0 ? ENTRIES_AT_FIRST : map->capacity * 2;
        STOA_TRY(stoa_pool_reallocate(map->arena.pool, (void **)&map->entries,
                                      (size_t)map->capacity * sizeof *map->entries,
                                      (size_t)capacity * sizeof *map->entries, err));
        map->capacity = capacity;
    }
    return STOA_OK;
}

/* The columns of the fields, and which rows of them are in the keys. */
struct block {
    const struct ArrowArray *columns[STOA_PARTITION_FIELDS_MAX];
    int64_t at; /* from the start of the buffers */
};

static stoa_status add_entry(stoa_partition_map *map, const struct block *block, int64_t row,
                             stoa_error *err) {
    stoa_value values[STOA_PARTITION_FIELDS_MAX];
    STOA_TRY(reserve_entry(map, err));
    for (int32_t i = 0; i < map->spec->field_count; i++) {
        const stoa_partition_field *field = &map->spec->fields[i];
        const struct ArrowArray *column = block->columns[i];
        stoa_value source;
        stoa_value_from_array(&field->source, column, block->at + row, &source);
        stoa_partition_transform(field, &source, &values[i]);
    }
    STOA_TRY(fill_entry(map, values, row, &map->entries[map->count], err));
    map->count++;
    return STOA_OK;
}

static stoa_status find_row(stoa_partition_map *map, const struct block *block, int64_t row,
                            int32_t *out, stoa_error *err) {
    if (map->last_id >= 0 && is_of(map, map->last_id, row)) {
        *out = map->last_id;
        return STOA_OK;
    }
    if ((size_t)map->count * 2 >= map->slot_count) {
        STOA_TRY(grow_slots(map, err));
    }
    const uint64_t hash = hash_row(map, row);
    struct stoa_partition_slot *slot = find_slot(map, hash, row);
    if (slot->id < 0) {
        STOA_TRY(add_entry(map, block, row, err));
        *slot = (struct stoa_partition_slot){hash, map->count - 1};
    }
    *out = map->last_id = slot->id;
    return STOA_OK;
}

static int32_t column_of(const stoa_schema *schema, int32_t id) {
    int32_t column = 0;
    while (schema->root.children[column].id != id) {
        column++;
    }
    return column;
}

stoa_status stoa_partition_map_rows(stoa_partition_map *map, const struct ArrowArray *batch,
                                    int32_t *ids, stoa_error *err) {
    struct block block;
    const int32_t count = map->spec->field_count;
    if (map->keys == NULL) {
        STOA_TRY(stoa_pool_allocate_array(map->arena.pool, (size_t)count, sizeof *map->keys,
                                          (void **)&map->keys, err));
    }
    for (int32_t i = 0; i < count; i++) {
        block.columns[i] =
            batch->children[column_of(map->schema, map->spec->fields[i].source_id)];
    }
    for (int64_t first = 0; first < batch->length; first += STOA_PARTITION_KEY_ROWS) {
        int64_t rows = batch->length - first;
        rows = rows < STOA_PARTITION_KEY_ROWS ? rows : STOA_PARTITION_KEY_ROWS;
        block.at = batch->offset + first;
        for (int32_t i = 0; i < count; i++) {
            stoa_partition_keys_fill(&map->keys[i], &map->spec->fields[i], block.columns[i],
                                     block.columns[i]->offset + block.at, rows);
        }
        for (int64_t row = 0; row < rows; row++) {
            STOA_TRY(find_row(map, &block, row, &ids[first + row], err));
        }
    }
    return STOA_OK;
}
