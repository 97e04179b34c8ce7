/* What S3 answers: any bytes are a page of a listing, a refusal, some other answer, or an error. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/s3_xml.h"

static stoa_status check_entry(void *user, const stoa_s3_entry *entry, stoa_error *err) {
    size_t *bytes = user;
    (void)err;
    if (entry->key[0] == '\0' || entry->size > INT64_MAX) {
        abort();
    }
    *bytes += strlen(entry->key) + strlen(entry->etag);
    return STOA_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    stoa_error err = STOA_ERROR_NONE;
    stoa_s3_refusal refusal;
    size_t bytes = 0;
    if (stoa_pool_create(0, NULL, &pool, NULL) != STOA_OK) {
        return 0;
    }
    stoa_buffer text = {.pool = pool};
    stoa_status status = stoa_s3_page_read(pool, data, size, check_entry, &bytes, &text, &err);
    if (status != STOA_OK && err.message[0] == '\0') {
        abort();
    }
    bool is_refused = stoa_s3_refusal_read(pool, data, size, &refusal);
    if (is_refused != (refusal.code[0] != '\0')) {
        abort();
    }
    stoa_buffer_clear(&text);
    STOA_IGNORE(
        stoa_s3_text_read(pool, data, size, "InitiateMultipartUploadResult/UploadId", &text, &err));
    stoa_buffer_release(&text);
    stoa_pool_close(pool);
    return 0;
}
