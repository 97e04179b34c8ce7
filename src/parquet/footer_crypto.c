/* What is encrypted in a footer: the footer itself (behind a short clear struct that says how), or the
 * metadata of columns, each with the footer's key or one of its own. The clear parts are parsed first,
 * for the algorithm stands behind the row groups; then what keys open is parsed in its place.
 *
 * Source   Apache Parquet format 2.11, "Encryption.md"; "parquet.thrift": FileCryptoMetaData,
 *          EncryptionAlgorithm, ColumnCryptoMetaData */
#include <stdio.h>

#include "base/bytes.h"
#include "parquet/footer_parse.h"

enum { KEY_ID_SHOWN = 48 };

static const uint8_t *read_bytes(stoa_footer_parse *parse, stoa_thrift_type type,
                                 size_t *out_size) {
    return (const uint8_t *)stoa_footer_read_text(parse, type, out_size);
}

/* ---- Thrift ---------------------------------------------------------------------------------- */

void stoa_footer_read_algorithm(stoa_footer_parse *parse, stoa_thrift_type type) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_parquet_algorithm *out = &parse->footer->algorithm;
    if (!stoa_thrift_enter_struct(reader, type)) {
        return;
    }
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        if ((id != 1 && id != 2) || !stoa_thrift_enter_struct(reader, type)) {
            stoa_thrift_fail(reader, "expected AES_GCM_V1 or AES_GCM_CTR_V1");
            return;
        }
        out->is_present = true;
        out->is_ctr = id == 2;
        for (int16_t part = 0; stoa_thrift_next_field(reader, &part, &type);) {
            switch (part) {
            case 1: out->prefix = read_bytes(parse, type, &out->prefix_size); break;
            case 2: out->unique = read_bytes(parse, type, &out->unique_size); break;
            case 3: out->supplies_prefix = stoa_thrift_read_bool(reader, type); break;
            default: stoa_thrift_skip(reader, type); break;
            }
        }
    }
}

void stoa_footer_read_key_metadata(stoa_footer_parse *parse, stoa_thrift_type type) {
    parse->footer->key_metadata = read_bytes(parse, type, &parse->footer->key_metadata_size);
}

static void read_column_key(stoa_footer_parse *parse, stoa_parquet_column_crypto *out) {
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(&parse->reader, &id, &type);) {
        if (id == 2) {
            out->key_metadata = read_bytes(parse, type, &out->key_metadata_size);
        } else {
            stoa_thrift_skip(&parse->reader, type); /* the path, which the schema says */
        }
    }
}

void stoa_footer_read_column_crypto(stoa_footer_parse *parse, stoa_thrift_type type,
                                    stoa_parquet_column *out) {
    if (!stoa_thrift_enter_struct(&parse->reader, type)) {
        return;
    }
    for (int16_t id = 0; stoa_thrift_next_field(&parse->reader, &id, &type);) {
        if ((id != 1 && id != 2) || !stoa_thrift_enter_struct(&parse->reader, type)) {
            stoa_thrift_fail(&parse->reader,
                             "expected a column's key to be the footer's or its own");
            return;
        }
        out->crypto.is_encrypted = true;
        out->crypto.has_own_key = id == 2;
        read_column_key(parse, &out->crypto);
    }
}

void stoa_footer_read_sealed(stoa_footer_parse *parse, stoa_thrift_type type,
                             stoa_parquet_column *out) {
    out->crypto.sealed = read_bytes(parse, type, &out->crypto.sealed_size);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* The metadata of a key, where it can be shown: an id, or a master key's words of any length. */
static void name_key(const uint8_t *metadata, size_t size, char out[KEY_ID_SHOWN + 16]) {
    bool is_text = size > 0 && size <= KEY_ID_SHOWN;
    for (size_t i = 0; i < size && is_text; i++) {
        is_text = metadata[i] >= ' ' && metadata[i] < 0x7F;
    }
    (void)snprintf(out, KEY_ID_SHOWN + 16, is_text ? " (key '%.*s')" : "%.*s",
                   is_text ? (int)size : 0, (const char *)metadata);
}

static stoa_status fail_no_key(const stoa_parquet_footer *footer, const char *what,
                               stoa_error *err) {
    char key[KEY_ID_SHOWN + 16];
    name_key(footer->key_metadata, footer->key_metadata_size, key);
    return stoa_fail(err, STOA_INVALID,
                     "%s is encrypted and no key was given for it%s: --keys FILE gives keys",
                     what, key);
}

stoa_status stoa_parquet_column_check_unlocked(const stoa_parquet_footer *footer, int32_t group,
                                               int32_t leaf, stoa_error *err) {
    const stoa_parquet_column_crypto *crypto = &footer->groups[group].columns[leaf].crypto;
    char key[KEY_ID_SHOWN + 16];
    if (!crypto->is_locked) {
        return STOA_OK;
    }
    name_key(crypto->key_metadata, crypto->key_metadata_size, key);
    return stoa_fail(err, STOA_INVALID,
                     "it is encrypted and no key was given for it%s: --keys FILE gives keys", key);
}

stoa_status stoa_parquet_column_decrypt(stoa_pool *pool, const stoa_parquet_column *column,
                                        stoa_parquet_module module, uint8_t *bytes, size_t *size,
                                        size_t *out_used, stoa_error *err) {
    const stoa_parquet_module_place place = {module, column->crypto.group_ordinal,
                                             column->crypto.ordinal, 0};
    *out_used = *size;
    if (column->crypto.cipher == NULL) {
        return STOA_OK;
    }
    stoa_buffer clear;
    stoa_buffer_init(&clear, pool);
    const stoa_status status = stoa_parquet_module_open(column->crypto.cipher, &place, bytes, *size,
                                                        &clear, out_used, err);
    if (status == STOA_OK) {
        memcpy(bytes, clear.data, clear.size);
        *size = clear.size;
    }
    stoa_buffer_release(&clear);
    return status;
}

/* ---- Unlocking ------------------------------------------------------------------------------- */

static stoa_status create_crypto(const stoa_context *context, stoa_parquet_footer *footer,
                                 const stoa_parquet_keys *keys, stoa_error *err) {
    STOA_TRY(
        stoa_parquet_crypto_create(context->pool, &footer->algorithm, keys, &footer->crypto, err));
    return stoa_parquet_crypto_cipher(footer->crypto, keys, NULL, footer->key_metadata,
                                      footer->key_metadata_size, &footer->cipher, err);
}

/* Without its metadata nobody knows where a chunk is. */
static void lock(const stoa_parquet_footer *footer, int32_t leaf, stoa_parquet_column *column) {
    column->crypto.is_locked = true;
    column->crypto.cipher = NULL;
    if (!column->crypto.has_metadata) {
        column->physical = footer->elements[footer->leaves[leaf].element].physical;
        column->offset = footer->footer_offset;
    }
}

static stoa_status open_sealed(const stoa_context *context, stoa_parquet_footer *footer,
                               const stoa_parquet_element *element, stoa_parquet_column *column,
                               stoa_error *err) {
    const stoa_parquet_column_crypto *crypto = &column->crypto;
    const stoa_parquet_module_place place = {STOA_PARQUET_MODULE_COLUMN_METADATA,
                                             crypto->group_ordinal, crypto->ordinal, 0};
    size_t used;
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, context->pool);
    stoa_status status = stoa_parquet_module_open(crypto->cipher, &place, crypto->sealed,
                                                  crypto->sealed_size, &bytes, &used, err);
    if (status == STOA_OK) {
        stoa_footer_parse parse = {stoa_thrift_reader_of(bytes.data, bytes.size), footer, STOA_OK,
                                   err};
        column->dictionary_offset = -1;
        stoa_footer_read_column_metadata(&parse, column);
        if (parse.reader.problem == NULL) {
            stoa_footer_check_column(&parse, column);
        }
        stoa_footer_settle_statistics(element, column);
        status = parse.status;
        if (status == STOA_OK && parse.reader.problem != NULL) {
            status = stoa_fail(err, STOA_CORRUPT, "its encrypted metadata: %s",
                               parse.reader.problem);
        }
    }
    stoa_buffer_release(&bytes);
    return status;
}

static stoa_status unlock_column(const stoa_context *context, stoa_parquet_footer *footer,
                                 const stoa_parquet_keys *keys, int32_t leaf,
                                 stoa_parquet_column *column, stoa_error *err) {
    stoa_parquet_column_crypto *crypto = &column->crypto;
    if (footer->crypto == NULL) {
        return stoa_fail(err, STOA_CORRUPT, "encrypted, but the footer does not say how");
    }
    crypto->cipher = footer->cipher;
    if (crypto->has_own_key) {
        STOA_TRY(stoa_parquet_crypto_cipher(footer->crypto, keys, footer->leaves[leaf].name,
                                            crypto->key_metadata, crypto->key_metadata_size,
                                            &crypto->cipher, err));
    }
    if (crypto->cipher == NULL) {
        lock(footer, leaf, column);
        return STOA_OK;
    }
    const stoa_parquet_element *element = &footer->elements[footer->leaves[leaf].element];
    return crypto->sealed == NULL ? STOA_OK : open_sealed(context, footer, element, column, err);
}

static stoa_status unlock_columns(const stoa_context *context, stoa_parquet_footer *footer,
                                  const stoa_parquet_keys *keys, stoa_error *err) {
    for (int32_t g = 0; g < footer->group_count; g++) {
        const stoa_parquet_group *group = &footer->groups[g];
        for (int32_t c = 0; c < footer->leaf_count; c++) {
            stoa_parquet_column *column = (stoa_parquet_column *)(uintptr_t)&group->columns[c];
            if (!column->crypto.is_encrypted) {
                continue;
            }
            column->crypto.group_ordinal = group->ordinal >= 0 ? group->ordinal : g;
            column->crypto.ordinal = c;
            const stoa_status status = unlock_column(context, footer, keys, c, column, err);
            if (status != STOA_OK) {
                stoa_wrap(err, "row group %" PRId32 ", column '%s'", g, footer->leaves[c].name);
                return status;
            }
        }
    }
    return STOA_OK;
}

stoa_status stoa_footer_unlock(const stoa_context *context, stoa_parquet_footer *footer,
                               const stoa_parquet_keys *keys, const uint8_t *bytes, size_t size,
                               size_t used, stoa_error *err) {
    if (footer->algorithm.is_present && footer->crypto == NULL) {
        STOA_TRY(create_crypto(context, footer, keys, err));
        if (size - used < STOA_PARQUET_SIGNATURE_BYTES) {
            return stoa_fail(err, STOA_CORRUPT, "expected a signature behind the footer");
        }
        if (footer->cipher != NULL) {
            STOA_TRY(stoa_parquet_signature_check(footer->cipher, bytes, used, bytes + used, err));
        }
    }
    return unlock_columns(context, footer, keys, err);
}

/* ---- Encrypted footers ----------------------------------------------------------------------- */

stoa_status stoa_footer_open_sealed(const stoa_context *context, stoa_parquet_footer *footer,
                                    const stoa_parquet_keys *keys, stoa_buffer *bytes,
                                    stoa_error *err) {
    static const stoa_parquet_module_place place = {.module = STOA_PARQUET_MODULE_FOOTER};
    stoa_footer_parse parse = {stoa_thrift_reader_of(bytes->data, bytes->size), footer, STOA_OK,
                               err};
    stoa_thrift_type type;
    size_t used;
    for (int16_t id = 0; stoa_thrift_next_field(&parse.reader, &id, &type);) {
        switch (id) {
        case 1: stoa_footer_read_algorithm(&parse, type); break;
        case 2: stoa_footer_read_key_metadata(&parse, type); break;
        default: stoa_thrift_skip(&parse.reader, type); break;
        }
    }
    STOA_TRY(parse.status);
    if (parse.reader.problem == NULL && !footer->algorithm.is_present) {
        stoa_thrift_fail(&parse.reader, "expected an algorithm");
    }
    if (parse.reader.problem != NULL) {
        return stoa_fail(err, STOA_CORRUPT, "encrypted footer: %s", parse.reader.problem);
    }
    STOA_TRY(create_crypto(context, footer, keys, err));
    if (footer->cipher == NULL) {
        return fail_no_key(footer, "its footer", err);
    }
    stoa_buffer clear;
    stoa_buffer_init(&clear, context->pool);
    const size_t at = parse.reader.bytes.position;
    const stoa_status status = stoa_parquet_module_open(footer->cipher, &place, bytes->data + at,
                                                        bytes->size - at, &clear, &used, err);
    if (status != STOA_OK) {
        stoa_buffer_release(&clear);
        stoa_wrap(err, "encrypted footer");
        return status;
    }
    stoa_buffer_release(bytes);
    *bytes = stoa_buffer_move(&clear);
    return STOA_OK;
}
