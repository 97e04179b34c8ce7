/* Rows of "user long not null, total long, name string" as streams, and how ingests of them are called. */
#ifndef STOA_TESTS_LSM_INGEST_ROWS_H
#define STOA_TESTS_LSM_INGEST_ROWS_H

#include "arrow/builder.h"
#include "arrow/stream.h"
#include "store_support.h"

/* Row i of a stream has user (i * step + first) % modulus and total i; a stream of keys only the user. */
struct ingest_rows {
    int64_t first, step, modulus;
    int64_t count;
    int64_t batch_rows;
    int64_t fails_at; /* a batch that begins there or later cannot be had; 0: all can */
    bool keys_only;
};

struct ingest_source {
    stoa_pool *pool;
    struct ingest_rows rows;
    struct ArrowSchema schema;
    int64_t at;
};

static inline stoa_status ingest_schema(stoa_pool *pool, bool keys_only, struct ArrowSchema *out,
                                        stoa_error *err) {
    const stoa_schema *schema = NULL;
    STOA_TRY(stoa_schema_parse(
        pool, keys_only ? "user long" : "user long not null, total long, name string", &schema,
        err));
    stoa_status status = stoa_schema_to_arrow(pool, schema, out, err);
    stoa_schema_close(schema);
    return status;
}

static inline stoa_status ingest_append(const struct ingest_source *source, stoa_builder *builder,
                                        int64_t i, stoa_error *err) {
    const struct ingest_rows *rows = &source->rows;
    STOA_TRY(stoa_builder_append_i64(stoa_builder_child(builder, 0),
                                     (i * rows->step + rows->first) % rows->modulus, err));
    if (!rows->keys_only) {
        STOA_TRY(stoa_builder_append_i64(stoa_builder_child(builder, 1), i, err));
        STOA_TRY(stoa_builder_append_bytes(stoa_builder_child(builder, 2), "abcdefghij",
                                           (size_t)(i % 10), err));
    }
    return stoa_builder_finish_value(builder, err);
}

static inline stoa_status ingest_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct ingest_source *source = state;
    const struct ingest_rows *rows = &source->rows;
    stoa_builder *builder = NULL;
    out->release = NULL;
    if (rows->fails_at > 0 && source->at >= rows->fails_at) {
        return stoa_fail(err, STOA_IO, "no more");
    }
    if (source->at == rows->count) {
        return STOA_OK;
    }
    STOA_TRY(stoa_builder_create(source->pool, &source->schema, &builder, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < rows->batch_rows && source->at < rows->count; i++) {
        STOA_CHECK(ingest_append(source, builder, source->at++, err));
    }
    status = stoa_builder_finish(builder, out, err);

done:
    stoa_builder_close(builder);
    return status;
}

static inline void ingest_close(void *state) {
    struct ingest_source *source = state;
    if (source->schema.release != NULL) {
        source->schema.release(&source->schema);
    }
    stoa_pool_free(source->pool, source, sizeof *source);
}

static inline stoa_status ingest_stream(stoa_pool *pool, const struct ingest_rows *rows,
                                        struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {ingest_next, ingest_close};
    struct ingest_source *source = NULL;
    struct ArrowSchema schema = {.release = NULL};
    out->release = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *source, (void **)&source, err));
    *source = (struct ingest_source){.pool = pool, .rows = *rows};
    stoa_status status = ingest_schema(pool, rows->keys_only, &source->schema, err);
    if (status == STOA_OK) {
        status = ingest_schema(pool, rows->keys_only, &schema, err);
    }
    if (status != STOA_OK) {
        ingest_close(source);
        return status;
    }
    return stoa_stream_create(pool, &schema, &operations, source, out, err);
}

static inline stoa_status ingest(stoa_state *state, stoa_pool *pool, const struct ingest_rows *rows,
                                 stoa_state_ingest_mode mode, stoa_error *err) {
    struct ArrowArrayStream stream;
    int64_t count = 0;
    STOA_TRY(ingest_stream(pool, rows, &stream, err));
    const stoa_status status = stoa_state_ingest(state, &stream, mode, NULL, &count, err);
    assert_null(stream.release);
    assert_int_equal(count, status == STOA_OK ? rows->count : 0);
    return status;
}

#endif
