/* The text of predicates over a schema of every type: what is read prints, the print reads back and
 * prints the same, and both answer a batch without rows that are not there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "schema/predicate.h"
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SCHEMA[] =
    "b boolean, t int8, s int16, i int, l long, ub uint8, us uint16, ui uint32, ul uint64, f float, "
    "d double, m decimal(9, 2), g decimal(38, 10), y date, c time, cn time_ns, a timestamp, "
    "an timestamp_ns, z timestamptz, u duration, x string, w binary, k fixed[3], id uuid, "
    "n unknown, p struct<lat: double, q: struct<r: int>>, o list<int>, v interval";

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* Three rows of nulls: every comparison is unknown, so only null tests and constants select. */
static void check_select(stoa_pool *pool, const stoa_schema *schema,
                         const stoa_predicate *predicate) {
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    stoa_builder *builder = NULL;
    uint8_t selection[1] = {0};
    require(stoa_schema_to_arrow(pool, schema, &arrow, NULL) == STOA_OK);
    require(stoa_builder_create(pool, &arrow, &builder, NULL) == STOA_OK);
    for (int row = 0; row < 3; row++) {
        for (int64_t i = 0; i < stoa_builder_child_count(builder); i++) {
            require(stoa_builder_append_null(stoa_builder_child(builder, i), NULL) == STOA_OK);
        }
        require(stoa_builder_finish_value(builder, NULL) == STOA_OK);
    }
    require(stoa_builder_finish(builder, &batch, NULL) == STOA_OK);
    require(stoa_predicate_select(predicate, schema, &batch, pool, selection, NULL) == STOA_OK);
    require(selection[0] == 0 || selection[0] == 7);
    require(selection[0] == 0 || stoa_predicate_may_match(predicate, schema, NULL, 0));
    stoa_builder_close(builder);
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&arrow);
}

static void check(stoa_pool *pool, const stoa_schema *schema, const stoa_predicate *predicate) {
    stoa_arena arena;
    stoa_buffer once;
    stoa_buffer twice;
    const char *text = NULL;
    const stoa_predicate *again = NULL;
    stoa_arena_init(&arena, pool);
    stoa_buffer_init(&once, pool);
    stoa_buffer_init(&twice, pool);
    if (stoa_predicate_print(predicate, schema, &once, NULL) == STOA_OK) {
        require(stoa_buffer_text(&once, &text, NULL) == STOA_OK);
        stoa_status status = stoa_predicate_parse(&arena, schema, text, &again, NULL);
        /* Printing adds parentheses, so what was nearly too deep may be too deep now. */
        if (status == STOA_OK) {
            require(stoa_predicate_print(again, schema, &twice, NULL) == STOA_OK);
        }
    }
    check_select(pool, schema, predicate);
    stoa_buffer_release(&once);
    stoa_buffer_release(&twice);
    stoa_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    const stoa_schema *schema = NULL;
    const stoa_predicate *predicate = NULL;
    stoa_arena arena;
    char *text = malloc(size + 1);
    require(text != NULL && stoa_pool_create(64 << 20, NULL, &pool, NULL) == STOA_OK);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena_init(&arena, pool);
    require(stoa_schema_parse(pool, SCHEMA, &schema, NULL) == STOA_OK);
    if (stoa_predicate_parse(&arena, schema, text, &predicate, &err) == STOA_OK) {
        check(pool, schema, predicate);
    } else {
        require(err.message[0] != '\0' && err.offset <= (int64_t)size);
    }
    stoa_schema_close(schema);
    stoa_arena_release(&arena);
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    free(text);
    return 0;
}
