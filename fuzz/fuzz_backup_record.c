/* Records of backups: as they are, and with the checksum that fits. What is read prints, and reads back as
 * the same. */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>

#include "table/backup_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static void check_record(stoa_pool *pool, const stoa_backup_record *record, const stoa_buffer *text) {
    stoa_buffer again;
    stoa_buffer_init(&again, pool);
    require(stoa_backup_record_print(record, &again, NULL) == STOA_OK);
    require(again.size == text->size && memcmp(again.data, text->data, text->size) == 0);
    for (int64_t i = 0; i < record->file_count; i++) {
        require(stoa_backup_record_find(record, record->files[i].path) == &record->files[i]);
    }
    stoa_buffer_release(&again);
}

static void parse(stoa_pool *pool, const stoa_buffer *text) {
    stoa_backup_record record;
    stoa_error err = STOA_ERROR_NONE;
    if (stoa_backup_record_parse(pool, (const char *)text->data, text->size, &record, &err) ==
        STOA_OK) {
        check_record(pool, &record, text);
    } else {
        require(err.message[0] != '\0');
    }
    stoa_backup_record_release(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    stoa_buffer text;
    require(stoa_pool_create(64 << 20, NULL, &pool, NULL) == STOA_OK);
    stoa_buffer_init(&text, pool);
    require(stoa_buffer_append(&text, data, size, NULL) == STOA_OK);
    parse(pool, &text);
    const stoa_hash128 hash = stoa_hash128_of(data, size);
    require(stoa_buffer_append_format(&text, NULL, "checksum %016" PRIx64 "%016" PRIx64 "\n",
                                      hash.high, hash.low) == STOA_OK);
    parse(pool, &text);
    stoa_buffer_release(&text);
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    return 0;
}
