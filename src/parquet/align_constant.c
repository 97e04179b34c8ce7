#include "parquet/align_constant.h"

#include "arrow/builder.h"
#include "schema/schema.h"

static stoa_status append(stoa_builder *builder, const stoa_value *value, const stoa_type *type,
                          stoa_error *err) {
    if (value->is_null) {
        return stoa_builder_append_null(builder, err);
    }
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN: return stoa_builder_append_null(builder, err);
    case STOA_TYPE_BOOLEAN: return stoa_builder_append_bool(builder, value->i != 0, err);
    case STOA_TYPE_UINT64: return stoa_builder_append_u64(builder, (uint64_t)value->i, err);
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: return stoa_builder_append_f64(builder, value->f, err);
    case STOA_TYPE_DECIMAL: return stoa_builder_append_i128(builder, value->decimal, err);
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID: return stoa_builder_append_bytes(builder, value->bytes, value->size, err);
    default: return stoa_builder_append_i64(builder, value->i, err);
    }
}

stoa_status stoa_parquet_constant_array(stoa_pool *pool, const stoa_field *field,
                                        const stoa_value *value, struct ArrowArray *out,
                                        stoa_error *err) {
    struct ArrowSchema arrow = {0};
    stoa_builder *builder = NULL;
    stoa_status status = STOA_OK;
    *out = (struct ArrowArray){0};
    STOA_CHECK(stoa_field_to_arrow(pool, field, &arrow, err));
    STOA_CHECK(stoa_builder_create(pool, &arrow, &builder, err));
    STOA_CHECK(append(builder, value, &field->type, err));
    STOA_CHECK(stoa_builder_finish(builder, out, err));

done:
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&arrow);
    return status;
}
