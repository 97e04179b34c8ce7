/* Any bytes as the payload of a log record: the first says by which schema its rows lie, the rest is a
 * commit. Rows that are read are written again as they were, as a batch and, one alone, as cells. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/owner.h"
#include "lsm/commit_record.h"
#include "lsm/rows_codec.h"

enum { CELLS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct format {
    const char *schema;
    stoa_key_column key[2];
    int32_t key_count;
    bool is_flat;
} formats[] = {
    {"k long not null, n long, s string", {{1, false}}, 1, true},
    {"k string not null, l int8 not null, a boolean, b decimal(9, 2), c decimal(30, 2), d float, "
     "e double, f uuid, g fixed[3], h time_ms, i timestamp, j uint64, m binary not null",
     {{1, false}, {2, true}},
     2,
     true},
    {"k int not null, a list<int>, b struct<x: int8, y: string> not null, c map<string, long>, "
     "d unknown",
     {{1, true}},
     1,
     false},
};
enum { FORMAT_COUNT = sizeof formats / sizeof *formats };

struct reading {
    const struct format *format;
    stoa_pool *pool;
    stoa_stripe_layout layout;
};

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* One row is read as cells where it is read as a batch, and takes as many bytes. */
static void check_row(const struct reading *reading, const stoa_commit_part *part, bool keys_only,
                      bool is_good) {
    stoa_cell cells[CELLS_MAX];
    const stoa_status status = stoa_row_read(&reading->layout, keys_only, part->bytes, part->size,
                                             cells, NULL);
    require((status == STOA_OK) == is_good);
    if (is_good) {
        /* Flags of nulls may say that there are none. */
        require(stoa_row_size(&reading->layout, keys_only, cells) <= part->size);
    }
}

static void check_batch(const struct reading *reading, const struct ArrowArray *batch,
                        bool keys_only, int64_t count) {
    struct ArrowArray again;
    size_t size = 0;
    require(stoa_rows_size(&reading->layout, keys_only, batch, 0, count, &size, NULL) == STOA_OK);
    uint8_t *bytes = malloc(size + 1);
    require(bytes != NULL);
    require(stoa_rows_write(&reading->layout, keys_only, batch, 0, count, bytes) == bytes + size);
    require(stoa_rows_read(&reading->layout, reading->pool, keys_only, count, bytes, size, &again,
                           NULL) == STOA_OK);
    stoa_arrow_array_release(&again);
    free(bytes);
}

static stoa_status look(void *user, const stoa_commit_part *part, stoa_error *err) {
    const struct reading *reading = user;
    struct ArrowArray batch;
    stoa_key_range range;
    if (part->kind == STOA_COMMIT_RANGE) {
        STOA_IGNORE(stoa_commit_range_read(part, &range, err));
        return STOA_OK;
    }
    const bool keys_only = part->kind == STOA_OPERATION_DELETE;
    const stoa_status status = stoa_rows_read(&reading->layout, reading->pool, keys_only,
                                              part->count, part->bytes, part->size, &batch, NULL);
    if (part->count == 1 && reading->format->is_flat && status != STOA_NO_MEMORY &&
        status != STOA_LIMIT) {
        check_row(reading, part, keys_only, status == STOA_OK);
    }
    if (status == STOA_OK) {
        check_batch(reading, &batch, keys_only, part->count);
        stoa_arrow_array_release(&batch);
    }
    return STOA_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reading reading = {.pool = NULL};
    const stoa_schema *schema = NULL;
    stoa_error err = STOA_ERROR_NONE;
    stoa_key_format key;
    stoa_arena arena;
    if (size < 1) {
        return 0;
    }
    reading.format = &formats[data[0] % FORMAT_COUNT];
    require(stoa_pool_create(64 << 20, NULL, &reading.pool, NULL) == STOA_OK);
    stoa_arena_init(&arena, reading.pool);
    require(stoa_schema_parse(reading.pool, reading.format->schema, &schema, NULL) == STOA_OK);
    require(stoa_key_format_init(&key, schema, reading.format->key, reading.format->key_count,
                                 NULL) == STOA_OK);
    require(stoa_stripe_layout_init(&reading.layout, &arena, schema, &key, NULL) == STOA_OK);
    const stoa_status status = stoa_commit_read(data + 1, size - 1, look, &reading, &err);
    require(status == STOA_OK || (status == STOA_CORRUPT && err.message[0] != '\0'));
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
    require(stoa_pool_used(reading.pool) == 0);
    stoa_pool_close(reading.pool);
    return 0;
}
