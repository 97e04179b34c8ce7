/* See partition_map.h. A row's key is the bytes of its partition's values; rows of one partition
 * often follow one another, so a key is compared with the one before it first. */
#include "parquet/partition_map.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

enum { PARTITIONS_MAX = 1 << 20, SLOTS_AT_FIRST = 64, ENTRIES_AT_FIRST = 16 };

struct stoa_partition_slot {
    uint64_t hash;
    const uint8_t *key; /* NULL: free */
    size_t size;
    int32_t id;
};

void stoa_partition_map_init(stoa_partition_map *map, stoa_pool *pool, stoa_partition_spec *spec,
                             const stoa_schema *schema) {
    *map = (stoa_partition_map){.spec = spec, .schema = schema, .last_id = -1};
    stoa_arena_init(&map->arena, pool);
    stoa_buffer_init(&map->key, pool);
    stoa_buffer_init(&map->last, pool);
}

void stoa_partition_map_release(stoa_partition_map *map) {
    stoa_pool *pool = map->arena.pool;
    stoa_pool_free(pool, map->entries, (size_t)map->capacity * sizeof *map->entries);
    stoa_pool_free(pool, map->slots, map->slot_count * sizeof *map->slots);
    stoa_buffer_release(&map->key);
    stoa_buffer_release(&map->last);
    stoa_arena_release(&map->arena);
    map->entries = NULL;
    map->slots = NULL;
    map->count = map->capacity = 0;
    map->slot_count = 0;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static stoa_status append_value(stoa_buffer *key, const stoa_value *value, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_byte(key, value->is_null, err));
    if (value->is_null) {
        return STOA_OK;
    }
    switch (value->type.kind) {
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: {
        double number = isnan(value->f) ? (double)NAN : value->f;
        return stoa_buffer_append(key, &number, sizeof number, err);
    }
    case STOA_TYPE_DECIMAL:
        return stoa_buffer_append(key, &value->decimal, sizeof value->decimal, err);
    case STOA_TYPE_STRING:
    case STOA_TYPE_UUID:
        STOA_TRY(stoa_buffer_append(key, &value->size, sizeof value->size, err));
        return stoa_buffer_append(key, value->bytes, value->size, err);
    default: return stoa_buffer_append(key, &value->i, sizeof value->i, err);
    }
}

static void read_value(const stoa_partition_map *map, const struct ArrowArray *batch,
                       int32_t column, int32_t field, int64_t row, stoa_value *out) {
    const stoa_partition_field *told = &map->spec->fields[field];
    stoa_value source;
    stoa_value_from_array(&told->source, batch->children[column], batch->offset + row, &source);
    stoa_partition_transform(told, &source, out);
}

/* ---- the table ------------------------------------------------------------------------------- */

static struct stoa_partition_slot *find_slot(struct stoa_partition_slot *slots, size_t count,
                                             uint64_t hash, const void *key, size_t size) {
    for (size_t at = hash & (count - 1);; at = (at + 1) & (count - 1)) {
        struct stoa_partition_slot *slot = &slots[at];
        if (slot->key == NULL || (slot->hash == hash && slot->size == size && size > 0 &&
                                  memcmp(slot->key, key, size) == 0)) {
            return slot;
        }
    }
}

static stoa_status grow_slots(stoa_partition_map *map, stoa_error *err) {
    size_t count = map->slot_count == 0 ? SLOTS_AT_FIRST : map->slot_count * 2;
    struct stoa_partition_slot *slots = NULL;
    STOA_TRY(stoa_pool_allocate_array(map->arena.pool, count, sizeof *slots, (void **)&slots, err));
    for (size_t i = 0; i < map->slot_count; i++) {
        const struct stoa_partition_slot *old = &map->slots[i];
        if (old->key != NULL) {
            *find_slot(slots, count, old->hash, old->key, old->size) = *old;
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

static stoa_status fill_entry(stoa_partition_map *map, const stoa_value *values,
                              stoa_partition_entry *entry, stoa_error *err) {
    size_t count = (size_t)map->spec->field_count;
    stoa_buffer folder;
    stoa_buffer_init(&folder, map->arena.pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&map->arena, count, sizeof *values,
                                         (void **)&entry->values, err));
    for (size_t i = 0; i < count; i++) {
        entry->values[i] = values[i];
        STOA_CHECK(keep_value(&map->arena, &entry->values[i], err));
    }
    STOA_CHECK(stoa_partition_path_print(map->spec, values, &folder, err));
    STOA_CHECK(stoa_arena_copy_text(&map->arena, (const char *)folder.data, folder.size,
                                    &entry->folder, err));

done:
    stoa_buffer_release(&folder);
    return status;
}

static stoa_status add_entry(stoa_partition_map *map, const stoa_value *values,
                             struct stoa_partition_slot *slot, uint64_t hash, stoa_error *err) {
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
    const char *key = NULL;
    STOA_TRY(fill_entry(map, values, &map->entries[map->count], err));
    STOA_TRY(stoa_arena_copy_text(&map->arena, (const char *)map->key.data, map->key.size, &key,
                                  err));
    *slot = (struct stoa_partition_slot){hash, (const uint8_t *)key, map->key.size, map->count};
    map->count++;
    return STOA_OK;
}

static stoa_status find_row(stoa_partition_map *map, const stoa_value *values, int32_t *out,
                            stoa_error *err) {
    if (map->last_id >= 0 && map->last.size == map->key.size &&
        memcmp(map->last.data, map->key.data, map->key.size) == 0) {
        *out = map->last_id;
        return STOA_OK;
    }
    if ((size_t)map->count * 2 >= map->slot_count) {
        STOA_TRY(grow_slots(map, err));
    }
    uint64_t hash = stoa_hash64(map->key.data, map->key.size);
    struct stoa_partition_slot *slot = find_slot(map->slots, map->slot_count, hash, map->key.data,
                                                 map->key.size);
    if (slot->key == NULL) {
        STOA_TRY(add_entry(map, values, slot, hash, err));
    }
    *out = map->last_id = slot->id;
    stoa_buffer_clear(&map->last);
    return stoa_buffer_append(&map->last, map->key.data, map->key.size, err);
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
    int32_t columns[STOA_PARTITION_FIELDS_MAX];
    stoa_value values[STOA_PARTITION_FIELDS_MAX];
    int32_t count = map->spec->field_count;
    for (int32_t i = 0; i < count; i++) {
        columns[i] = column_of(map->schema, map->spec->fields[i].source_id);
    }
    for (int64_t row = 0; row < batch->length; row++) {
        stoa_buffer_clear(&map->key);
        for (int32_t i = 0; i < count; i++) {
            read_value(map, batch, columns[i], i, row, &values[i]);
            STOA_TRY(append_value(&map->key, &values[i], err));
        }
        STOA_TRY(find_row(map, values, &ids[row], err));
    }
    return STOA_OK;
}
