/* For oracle_predicate.py: reads from standard input
 *
 *     the schema in its text form
 *     the number of rows, then as many lines of tab-separated values, \N for null
 *     predicates, one a line
 *
 * and answers each predicate with one line: its text as printed, a tab, the rows that it selects.
 * A predicate that is refused gives "error: ..." instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "base/bits.h"
#include "schema/predicate.h"
#include "schema/schema.h"

static stoa_error err = STOA_ERROR_NONE;

static void need(stoa_status status) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
}

static char *read_line(void) {
    static char *line;
    static size_t capacity;
    ssize_t length = getline(&line, &capacity, stdin);
    if (length < 0) {
        free(line);
        line = NULL;
        return NULL;
    }
    if (length > 0 && line[length - 1] == '\n') {
        line[length - 1] = '\0';
    }
    return line;
}

static void append(stoa_builder *builder, const stoa_type *type, const char *text,
                   stoa_arena *arena) {
    stoa_value value;
    if (strcmp(text, "\\N") == 0) {
        need(stoa_builder_append_null(builder, &err));
        return;
    }
    need(stoa_value_parse(arena, type, text, strlen(text), &value, &err));
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: need(stoa_builder_append_bool(builder, value.i != 0, &err)); break;
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: need(stoa_builder_append_f64(builder, value.f, &err)); break;
    case STOA_TYPE_DECIMAL: need(stoa_builder_append_i128(builder, value.decimal, &err)); break;
    case STOA_TYPE_UINT64: need(stoa_builder_append_u64(builder, (uint64_t)value.i, &err)); break;
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID:
        need(stoa_builder_append_bytes(builder, value.bytes, value.size, &err));
        break;
    default: need(stoa_builder_append_i64(builder, value.i, &err)); break;
    }
}

static void read_rows(stoa_builder *builder, const stoa_schema *schema, stoa_arena *arena) {
    long count = strtol(read_line(), NULL, 10);
    for (long row = 0; row < count; row++) {
        char *rest = read_line();
        for (int32_t i = 0; i < schema->root.child_count; i++) {
            const stoa_type *type = &schema->root.children[i].type;
            stoa_builder *column = stoa_builder_child(builder, i);
            char *text = strsep(&rest, "\t");
            if (type->kind == STOA_TYPE_STRUCT) { /* of one field */
                append(stoa_builder_child(column, 0), &type->children[0].type, text, arena);
                need(stoa_builder_finish_value(column, &err));
            } else {
                append(column, type, text, arena);
            }
        }
        need(stoa_builder_finish_value(builder, &err));
    }
}

static void answer(const char *text, const stoa_schema *schema, const struct ArrowArray *batch,
                   stoa_pool *pool) {
    stoa_arena arena;
    stoa_arena_init(&arena, pool);
    const stoa_predicate *predicate = NULL;
    if (stoa_predicate_parse(&arena, schema, text, &predicate, &err) != STOA_OK) {
        (void)printf("error: %s\n", err.message);
    } else {
        stoa_buffer printed;
        stoa_buffer selection;
        stoa_buffer_init(&printed, pool);
        stoa_buffer_init(&selection, pool);
        const char *view = NULL;
        need(stoa_predicate_print(predicate, schema, &printed, &err));
        need(stoa_buffer_text(&printed, &view, &err));
        need(stoa_buffer_resize(&selection, stoa_bitmap_bytes(batch->length) + 1, &err));
        need(stoa_predicate_select(predicate, schema, batch, pool, selection.data, &err));
        (void)printf("%s\t", view);
        for (int64_t row = 0; row < batch->length; row++) {
            if (stoa_bit_get(selection.data, row)) {
                (void)printf("%lld ", (long long)row);
            }
        }
        (void)printf("\n");
        stoa_buffer_release(&printed);
        stoa_buffer_release(&selection);
    }
    stoa_arena_release(&arena);
}

int main(void) {
    stoa_pool *pool = NULL;
    const stoa_schema *schema = NULL;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    stoa_builder *builder = NULL;
    stoa_arena arena;
    need(stoa_pool_create(0, NULL, &pool, &err));
    stoa_arena_init(&arena, pool);
    need(stoa_schema_parse(pool, read_line(), &schema, &err));
    need(stoa_schema_to_arrow(pool, schema, &arrow, &err));
    need(stoa_builder_create(pool, &arrow, &builder, &err));
    read_rows(builder, schema, &arena);
    need(stoa_builder_finish(builder, &batch, &err));
    for (char *line = read_line(); line != NULL; line = read_line()) {
        answer(line, schema, &batch, pool);
    }
    stoa_arrow_array_release(&batch);
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&arrow);
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
    stoa_pool_close(pool);
    return 0;
}
