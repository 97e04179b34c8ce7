/* The whole reader, with keys for encrypted files, over any bytes at all: what it lets through is an
 * array that holds together, but for texts that are no UTF-8 and decimals of too many digits, which it
 * leaves to validation. */
#include "arrow/array.h"
#include "bytes_file.h"
#include "parquet/read_top.h"

/* Checksums would keep damage from the decoders. Rows are bounded: a few bytes stand for many. */
static void consume(struct ArrowArrayStream *stream) {
    enum { BATCHES_MAX = 64 };
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema = {0};
    if (stoa_stream_schema(stream, &schema, &err) == STOA_OK) {
        for (int i = 0; i < BATCHES_MAX; i++) {
            struct ArrowArray batch;
            if (stoa_stream_next(stream, &batch, &err) != STOA_OK || batch.release == NULL) {
                break;
            }
            stoa_error invalid = STOA_ERROR_NONE;
            if (stoa_arrow_validate(&schema, &batch, STOA_ARROW_CHECK_FULL, &invalid) ==
                    STOA_INVALID &&
                strstr(invalid.message, "UTF-8") == NULL &&
                strstr(invalid.message, "digits") == NULL) {
                abort();
            }
            stoa_arrow_array_release(&batch);
        }
    }
    stoa_arrow_schema_release(&schema);
}

static void read_all(const stoa_parquet_reader *reader, const stoa_parquet_read_options *options) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream = {0};
    if (stoa_parquet_reader_stream(reader, options, &stream, &err) == STOA_OK) {
        consume(&stream);
    }
    stoa_arrow_stream_release(&stream);
}

static bool is_comparable(const stoa_type *type) {
    return type->child_count == 0 && type->kind != STOA_TYPE_INTERVAL &&
           type->kind != STOA_TYPE_STRUCT && type->kind != STOA_TYPE_UNKNOWN;
}

/* (column >= 0 and not column = 0) or column is null, or the last alone; then the first by it. */
static void read_by(const stoa_parquet_reader *reader, const stoa_field *field) {
    const uint8_t zeros[16] = {0};
    const bool compares = is_comparable(&field->type);
    const stoa_value zero = {.type = field->type, .bytes = zeros, .size = sizeof zeros};
    const stoa_predicate null = {.kind = STOA_PREDICATE_IS_NULL, .field_id = field->id};
    const stoa_predicate least = {.kind = STOA_PREDICATE_GREATER_EQUAL,
                                  .field_id = field->id,
                                  .values = &zero,
                                  .value_count = 1};
    const stoa_predicate equal = {.kind = STOA_PREDICATE_EQUAL,
                                  .field_id = field->id,
                                  .values = &zero,
                                  .value_count = 1};
    const stoa_predicate *const equals[] = {&equal};
    const stoa_predicate other = {.kind = STOA_PREDICATE_NOT, .children = equals, .child_count = 1};
    const stoa_predicate *const both[] = {&least, &other};
    const stoa_predicate above = {.kind = STOA_PREDICATE_AND, .children = both, .child_count = 2};
    const stoa_predicate *const any[] = {&above, &null};
    const stoa_predicate either = {.kind = STOA_PREDICATE_OR, .children = any, .child_count = 2};
    const stoa_parquet_read_options options = {.predicate = compares ? &either : &null,
                                               .batch_rows = 300,
                                               .ignores_checksums = true};
    const stoa_parquet_row_order order = {.field_id = field->id, .descending = true};
    struct ArrowArrayStream stream = {0};
    read_all(reader, &options);
    if (compares &&
        stoa_parquet_reader_top(reader, &options, &order, 7, &stream, NULL) == STOA_OK) {
        consume(&stream);
    }
    stoa_arrow_stream_release(&stream);
}

/* The seeds' keys, by the metadata that they keep with them. */
static const stoa_parquet_named_key ids[] = {{"kf", {"0123456789012345", 16}},
                                             {"kc1", {"1234567890123450", 16}},
                                             {"kc2", {"1234567890123451", 16}}};
static const stoa_parquet_keys keys = {.ids = ids, .id_count = 3};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes_file input = {data, size};
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    if (stoa_pool_create((size_t)64 << 20, NULL, &pool, &err) != STOA_OK) {
        abort();
    }
    const stoa_context context = {.pool = pool};
    char name[] = "input";
    stoa_file file = {.operations = &bytes_file_operations,
                      .state = &input,
                      .pool = pool,
                      .uri = name};
    stoa_parquet_reader *reader = NULL;
    const stoa_parquet_open_options options = {.int96_unit = STOA_TYPE_MILLISECONDS, .keys = &keys};
    if (stoa_parquet_reader_open(&context, &file, &options, &reader, &err) == STOA_OK) {
        static const stoa_parquet_row_range ranges[] = {{1, 1}, {5, 20}};
        read_all(reader,
                 &(stoa_parquet_read_options){.batch_rows = 300, .ignores_checksums = true});
        read_all(reader, &(stoa_parquet_read_options){.ranges = ranges,
                                                      .range_count = 2,
                                                      .ignores_checksums = true});
        read_all(reader, &(stoa_parquet_read_options){.dictionary_all = true,
                                                      .column_bytes = 100,
                                                      .ignores_checksums = true});
        const stoa_type *root = &stoa_parquet_reader_schema(reader)->root;
        for (int32_t i = 0; i < root->child_count && i < 2; i++) {
            read_by(reader, &root->children[i]);
        }
    }
    stoa_parquet_reader_close(reader);
    if (stoa_pool_used(pool) != 0) {
        abort();
    }
    stoa_pool_close(pool);
    return 0;
}
