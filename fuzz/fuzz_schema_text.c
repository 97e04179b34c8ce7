/* The text form of schemas: whatever is read prints, and the print reads back as the same schema,
 * in text, in JSON and through Arrow. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static void check_text(stoa_pool *pool, const stoa_schema *schema) {
    size_t length = stoa_schema_print(schema, NULL, 0);
    char *text = malloc(length + 1);
    const stoa_schema *again = NULL;
    require(text != NULL);
    require(stoa_schema_print(schema, text, length + 1) == length);
    require(stoa_schema_parse(pool, text, &again, NULL) == STOA_OK);
    require(stoa_type_equal(&schema->root, &again->root, true));
    stoa_schema_close(again);
    free(text);
}

static void check_json(stoa_pool *pool, const stoa_schema *schema) {
    stoa_buffer json;
    const stoa_schema *again = NULL;
    stoa_buffer_init(&json, pool);
    require(stoa_schema_to_json(schema, &json, NULL) == STOA_OK);
    require(stoa_schema_from_json(pool, (const char *)json.data, json.size, &again, NULL) ==
            STOA_OK);
    require(stoa_type_equal(&schema->root, &again->root, true));
    stoa_schema_close(again);
    stoa_buffer_release(&json);
}

static void check_arrow(stoa_pool *pool, const stoa_schema *schema) {
    struct ArrowSchema arrow;
    const stoa_schema *again = NULL;
    require(stoa_schema_to_arrow(pool, schema, &arrow, NULL) == STOA_OK);
    require(stoa_schema_from_arrow(pool, &arrow, &again, NULL) == STOA_OK);
    require(stoa_type_equal(&schema->root, &again->root, true));
    stoa_schema_close(again);
    stoa_arrow_schema_release(&arrow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    const stoa_schema *schema = NULL;
    char *text = malloc(size + 1);
    require(text != NULL && stoa_pool_create(64 << 20, NULL, &pool, NULL) == STOA_OK);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    stoa_error err = STOA_ERROR_NONE;
    if (stoa_schema_parse(pool, text, &schema, &err) == STOA_OK) {
        check_text(pool, schema);
        check_json(pool, schema);
        check_arrow(pool, schema);
        stoa_schema_close(schema);
    } else {
        require(schema == NULL && err.message[0] != '\0' && err.offset <= (int64_t)size);
    }
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    free(text);
    return 0;
}
