/* Iceberg's JSON of schemas: whatever is read writes, and reads back as the same schema. */
#include <stdint.h>
#include <stdlib.h>

#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    const stoa_schema *schema = NULL;
    const stoa_schema *again = NULL;
    stoa_error err = STOA_ERROR_NONE;
    require(stoa_pool_create(64 << 20, NULL, &pool, NULL) == STOA_OK);
    if (stoa_schema_from_json(pool, (const char *)data, size, &schema, &err) == STOA_OK) {
        stoa_buffer json;
        stoa_buffer_init(&json, pool);
        require(stoa_schema_to_json(schema, &json, NULL) == STOA_OK);
        require(stoa_schema_from_json(pool, (const char *)json.data, json.size, &again, NULL) ==
                STOA_OK);
        require(stoa_type_equal(&schema->root, &again->root, true));
        require(schema->schema_id == again->schema_id);
        stoa_schema_close(again);
        stoa_schema_close(schema);
        stoa_buffer_release(&json);
    } else {
        require(schema == NULL && err.message[0] != '\0');
    }
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    return 0;
}
