/* See read_dictionary.h. Values are looked up with open addressing in a table at most half full. */
#include "parquet/read_dictionary.h"

#include "arrow/schema.h"
#include "base/hash.h"
#include "parquet/page_values.h"

/* ---- Entries of a chunk ---------------------------------------------------------------------- */

struct shared_entries {
    stoa_pool *pool;
    stoa_buffer offsets;
    stoa_buffer data;
};

static void release_shared(void *user) {
    struct shared_entries *shared = user;
    stoa_buffer_release(&shared->offsets);
    stoa_buffer_release(&shared->data);
    stoa_pool_free(shared->pool, shared, sizeof *shared);
}

static stoa_status copy_entries(struct shared_entries *shared, const stoa_bytes_view *views,
                                size_t count, stoa_error *err) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += views[i].size;
    }
    if (bytes > INT32_MAX || count > INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "a dictionary of more than 2 GiB");
    }
    STOA_TRY(stoa_buffer_reserve_exact(&shared->data, bytes, err));
    STOA_TRY(stoa_buffer_resize(&shared->offsets, (count + 1) * sizeof(int32_t), err));
    int32_t *ends = (int32_t *)(void *)shared->offsets.data;
    for (size_t i = 0; i < count; i++) {
        if (views[i].size > 0) {
            memcpy(shared->data.data + shared->data.size, views[i].data, views[i].size);
        }
        shared->data.size += views[i].size;
        ends[i + 1] = (int32_t)shared->data.size;
    }
    return STOA_OK;
}

stoa_status stoa_read_entries_make(stoa_pool *pool, const stoa_chunk_reader *chunk,
                                   stoa_read_entries *out, stoa_error *err) {
    void *memory = NULL;
    const stoa_bytes_view *views = (const void *)chunk->dictionary_views.data;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct shared_entries), &memory, err));
    struct shared_entries *shared = memory;
    shared->pool = pool;
    stoa_buffer_init(&shared->offsets, pool);
    stoa_buffer_init(&shared->data, pool);
    stoa_status status = copy_entries(shared, views, chunk->dictionary_count, err);
    if (status == STOA_OK) {
        status = stoa_keeper_create(pool, release_shared, shared, &out->keeper, err);
    }
    if (status != STOA_OK) {
        release_shared(shared);
        return status;
    }
    out->count = chunk->dictionary_count;
    out->offsets = (const int32_t *)(const void *)shared->offsets.data;
    out->data = shared->data.data == NULL ? (const uint8_t *)"" : shared->data.data;
    return STOA_OK;
}

void stoa_read_entries_release(stoa_read_entries *entries) {
    stoa_keeper_release(entries->keeper);
    *entries = (stoa_read_entries){0};
}

stoa_status stoa_read_entries_array(stoa_pool *pool, const stoa_read_entries *entries,
                                    struct ArrowArray *out, stoa_error *err) {
    STOA_TRY(stoa_arrow_array_init(pool, 3, 0, false, out, err));
    out->length = entries->count;
    stoa_arrow_array_set_buffer_view(out, 1, entries->offsets);
    stoa_arrow_array_set_buffer_view(out, 2, entries->data);
    stoa_arrow_array_keep(out, entries->keeper);
    return STOA_OK;
}

stoa_status stoa_read_codes_widen(const stoa_chunk_reader *chunk, stoa_chunk_values *values,
                                  stoa_error *err) {
    const size_t count = (size_t)values->value_count;
    uint32_t highest = 0;
    if (stoa_page_code_bytes(chunk) == 1) {
        STOA_TRY(stoa_buffer_resize(&values->data, count * sizeof(uint32_t), err));
        uint32_t *wide = (uint32_t *)(void *)values->data.data;
        for (size_t i = count; i > 0; i--) { /* in place, from the end */
            wide[i - 1] = values->data.data[i - 1];
        }
    }
    const uint32_t *codes = (const uint32_t *)(const void *)values->data.data;
    for (size_t i = 0; i < count; i++) {
        highest = codes[i] > highest ? codes[i] : highest;
    }
    return count == 0 || highest < chunk->dictionary_count
               ? STOA_OK
               : stoa_chunk_reader_fail(chunk, "a code is beyond the dictionary's entries", err);
}

/* ---- Values of a batch ----------------------------------------------------------------------- */

struct table {
    uint8_t *data; /* entries stand at its beginning, the values that come next behind them */
    int32_t *offsets;
    int32_t entry_count;
    uint32_t *slots; /* 1 + number of an entry, or 0 */
    uint32_t mask;
};

/* The number of the value from `begin` to `end`, which becomes an entry if there is none like it. */
static int32_t find_entry(struct table *table, int32_t begin, int32_t end) {
    const size_t size = (size_t)(end - begin);
    const uint8_t *value = table->data + begin;
    uint32_t slot = (uint32_t)stoa_hash64(value, size) & table->mask;
    for (; table->slots[slot] != 0; slot = (slot + 1) & table->mask) {
        const int32_t entry = (int32_t)table->slots[slot] - 1;
        const int32_t first = table->offsets[entry];
        if ((size_t)(table->offsets[entry + 1] - first) == size &&
            memcmp(table->data + first, value, size) == 0) {
            return entry;
        }
    }
    const int32_t entry = table->entry_count++;
    const int32_t first = table->offsets[entry];
    memmove(table->data + first, value, size);
    table->offsets[entry + 1] = first + (int32_t)size;
    table->slots[slot] = (uint32_t)entry + 1;
    return entry;
}

static stoa_status encode(stoa_chunk_values *values, stoa_buffer *slots, stoa_buffer *indices,
                          int32_t *out_entries, stoa_error *err) {
    const int64_t count = values->value_count;
    size_t slot_count = 16;
    while (slot_count < 2 * (size_t)count) {
        slot_count *= 2;
    }
    STOA_TRY(stoa_buffer_resize(slots, slot_count * sizeof(uint32_t), err));
    STOA_TRY(stoa_buffer_resize(indices, (size_t)count * sizeof(int32_t), err));
    struct table table = {.data = values->data.data,
                          .offsets = (int32_t *)(void *)values->offsets.data,
                          .slots = (uint32_t *)(void *)slots->data,
                          .mask = (uint32_t)slot_count - 1};
    int32_t *out = (int32_t *)(void *)indices->data;
    /* Entries are never more than the values before, so that what is written was read. */
    for (int64_t i = 0, begin = 0; i < count; i++) {
        const int32_t end = table.offsets[i + 1];
        out[i] = find_entry(&table, (int32_t)begin, end);
        begin = end;
    }
    *out_entries = table.entry_count;
    return STOA_OK;
}

stoa_status stoa_read_values_encode(stoa_pool *pool, stoa_chunk_values *values,
                                    struct ArrowArray *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_buffer slots, indices;
    int32_t entry_count = 0;
    stoa_buffer_init(&slots, pool);
    stoa_buffer_init(&indices, pool);
    if (values->offsets.size == 0) {
        STOA_CHECK(stoa_buffer_resize(&values->offsets, sizeof(int32_t), err));
    }
    STOA_CHECK(stoa_buffer_reserve(&values->data, 1, err)); /* a place even for empty values */
    STOA_CHECK(encode(values, &slots, &indices, &entry_count, err));
    STOA_CHECK(stoa_arrow_array_init(pool, 3, 0, false, out, err));
    values->offsets.size = ((size_t)entry_count + 1) * sizeof(int32_t);
    values->data.size = (size_t)((const int32_t *)(const void *)values->offsets.data)[entry_count];
    out->length = entry_count;
    stoa_arrow_array_set_buffer(out, 1, &values->offsets);
    stoa_arrow_array_set_buffer(out, 2, &values->data);
    values->data = stoa_buffer_move(&indices);

done:
    stoa_buffer_release(&slots);
    stoa_buffer_release(&indices);
    return status;
}

/* ---- The schema ------------------------------------------------------------------------------ */

stoa_status stoa_read_dictionary_field(stoa_pool *pool, struct ArrowSchema *schema,
                                       stoa_error *err) {
    struct ArrowSchema field = {0};
    const bool nullable = (schema->flags & ARROW_FLAG_NULLABLE) != 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arrow_schema_init(pool, "i", schema->name, nullable, 0, &field, err));
    STOA_CHECK(stoa_arrow_schema_copy_metadata(pool, &field, schema->metadata, err));
    STOA_CHECK(stoa_arrow_schema_add_dictionary(pool, &field, err));
    STOA_CHECK(
        stoa_arrow_schema_init(pool, schema->format, "", true, 0, field.dictionary, err));
    stoa_arrow_schema_release(schema);
    *schema = field;
    return STOA_OK;

done:
    stoa_arrow_schema_release(&field);
    return status;
}
