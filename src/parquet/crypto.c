/* A module is: its length (4 bytes, of what follows) | a nonce of 12 bytes | the ciphertext | for GCM
 * a tag of 16. What is authenticated beside it is the file's AAD (a prefix that the user may keep to
 * himself, and bytes of the file's own) and the module's kind and place, so that a module can neither
 * be moved within its file nor taken from another.
 *
 * Source   Apache Parquet format 2.11, "Encryption.md"; NIST SP 800-38A and 800-38D */
#include "parquet/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/bytes.h"

enum {
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    COUNTER_BYTES = 16,
    SUFFIX_BYTES_MAX = 7,
    ORDINAL_MAX = 32767 /* ordinals are numbers of 16 bits with a sign */
};

struct stoa_parquet_cipher {
    const stoa_parquet_crypto *crypto;
    stoa_parquet_cipher *next;
    stoa_parquet_key key;
};

struct stoa_parquet_crypto {
    stoa_pool *pool;
    bool is_ctr;
    stoa_buffer aad; /* of the file */
    stoa_parquet_cipher *ciphers;
};

/* ---- Keys ------------------------------------------------------------------------------------ */

static stoa_status copy_aad(stoa_parquet_crypto *crypto, const stoa_parquet_algorithm *algorithm,
                            const stoa_parquet_keys *keys, stoa_error *err) {
    const uint8_t *prefix = algorithm->prefix;
    size_t prefix_size = algorithm->prefix_size;
    const bool is_given = keys != NULL && keys->aad_prefix_size > 0;
    if (prefix_size > 0 && is_given &&
        (prefix_size != keys->aad_prefix_size ||
         memcmp(prefix, keys->aad_prefix, prefix_size) != 0)) {
        return stoa_fail(err, STOA_INVALID, "the AAD prefix given is not that of the file");
    }
    if (prefix_size == 0 && algorithm->supplies_prefix && !is_given) {
        return stoa_fail(err, STOA_INVALID,
                         "the file is encrypted with an AAD prefix that it does not store; give it "
                         "with the keys");
    }
    if (prefix_size == 0 && algorithm->supplies_prefix) {
        prefix = keys->aad_prefix;
        prefix_size = keys->aad_prefix_size;
    }
    STOA_TRY(stoa_buffer_append(&crypto->aad, prefix, prefix_size, err));
    return stoa_buffer_append(&crypto->aad, algorithm->unique, algorithm->unique_size, err);
}

stoa_status stoa_parquet_crypto_create(stoa_pool *pool, const stoa_parquet_algorithm *algorithm,
                                       const stoa_parquet_keys *keys, stoa_parquet_crypto **out,
                                       stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_parquet_crypto), &memory, err));
    stoa_parquet_crypto *crypto = memory;
    *crypto = (stoa_parquet_crypto){.pool = pool, .is_ctr = algorithm->is_ctr};
    stoa_buffer_init(&crypto->aad, pool);
    const stoa_status status = copy_aad(crypto, algorithm, keys, err);
    if (status != STOA_OK) {
        stoa_parquet_crypto_close(crypto);
        return status;
    }
    *out = crypto;
    return STOA_OK;
}

void stoa_parquet_crypto_close(stoa_parquet_crypto *crypto) {
    if (crypto == NULL) {
        return;
    }
    for (stoa_parquet_cipher *cipher = crypto->ciphers; cipher != NULL;) {
        stoa_parquet_cipher *next = cipher->next;
        OPENSSL_cleanse(cipher, sizeof *cipher);
        stoa_pool_free(crypto->pool, cipher, sizeof *cipher);
        cipher = next;
    }
    stoa_buffer_release(&crypto->aad);
    stoa_pool_free(crypto->pool, crypto, sizeof *crypto);
}

static const stoa_parquet_key *find_key(const stoa_parquet_named_key *named, int32_t count,
                                        const void *name, size_t size) {
    for (int32_t i = 0; i < count; i++) {
        if (strlen(named[i].name) == size && memcmp(named[i].name, name, size) == 0) {
            return &named[i].key;
        }
    }
    return NULL;
}

static stoa_status find(const stoa_parquet_keys *keys, const char *column, const uint8_t *metadata,
                        size_t metadata_size, stoa_parquet_key *out, stoa_error *err) {
    const stoa_parquet_key *found = NULL;
    *out = (stoa_parquet_key){0};
    if (keys == NULL) {
        return STOA_OK;
    }
    if (column == NULL) {
        found = keys->footer.size > 0 ? &keys->footer : NULL;
    } else {
        found = find_key(keys->columns, keys->column_count, column, strlen(column));
    }
    if (found == NULL && metadata_size > 0) {
        found = find_key(keys->ids, keys->id_count, metadata, metadata_size);
    }
    if (found != NULL) {
        *out = *found;
        return STOA_OK;
    }
    if (keys->retrieve == NULL) {
        return STOA_OK;
    }
    stoa_error cause = STOA_ERROR_NONE;
    const stoa_status status = keys->retrieve(keys->user, column, metadata, metadata_size, out,
                                              &cause);
    if (status == STOA_NOT_FOUND) {
        *out = (stoa_parquet_key){0};
        return STOA_OK;
    }
    if (status != STOA_OK && err != NULL) {
        *err = cause;
    }
    return status;
}

/* The cipher of a key, which may be there already. */
static stoa_status keep(stoa_parquet_crypto *crypto, const stoa_parquet_key *key,
                        const stoa_parquet_cipher **out, stoa_error *err) {
    void *memory = NULL;
    for (const stoa_parquet_cipher *at = crypto->ciphers; at != NULL; at = at->next) {
        if (at->key.size == key->size && CRYPTO_memcmp(at->key.bytes, key->bytes, key->size) == 0) {
            *out = at;
            return STOA_OK;
        }
    }
    STOA_TRY(stoa_pool_allocate(crypto->pool, sizeof(stoa_parquet_cipher), &memory, err));
    stoa_parquet_cipher *cipher = memory;
    *cipher = (stoa_parquet_cipher){crypto, crypto->ciphers, *key};
    crypto->ciphers = cipher;
    *out = cipher;
    return STOA_OK;
}

stoa_status stoa_parquet_crypto_cipher(stoa_parquet_crypto *crypto, const stoa_parquet_keys *keys,
                                       const char *column, const uint8_t *metadata,
                                       size_t metadata_size, const stoa_parquet_cipher **out,
                                       stoa_error *err) {
    stoa_parquet_key key;
    *out = NULL;
    stoa_status status = find(keys, column, metadata, metadata_size, &key, err);
    if (status == STOA_OK && key.size != 0 && key.size != 16 && key.size != 24 && key.size != 32) {
        status = stoa_fail(err, STOA_INVALID,
                           "expected a key of 16, 24 or 32 bytes but found one of %zu", key.size);
    } else if (status == STOA_OK && key.size > 0) {
        status = keep(crypto, &key, out, err);
    }
    OPENSSL_cleanse(&key, sizeof key);
    return status;
}

/* ---- Modules --------------------------------------------------------------------------------- */

static size_t put_ordinal(uint8_t *out, int32_t ordinal) {
    out[0] = (uint8_t)ordinal;
    out[1] = (uint8_t)(ordinal >> 8);
    return 2;
}

/* The footer stands nowhere but in its file, dictionaries only once in their chunk. */
static size_t aad_suffix(const stoa_parquet_module_place *place, uint8_t out[SUFFIX_BYTES_MAX]) {
    size_t size = 0;
    out[size++] = (uint8_t)place->module;
    if (place->module != STOA_PARQUET_MODULE_FOOTER) {
        size += put_ordinal(out + size, place->group);
        size += put_ordinal(out + size, place->column);
    }
    if (place->module == STOA_PARQUET_MODULE_DATA_PAGE ||
        place->module == STOA_PARQUET_MODULE_DATA_PAGE_HEADER) {
        size += put_ordinal(out + size, place->page);
    }
    return size;
}

static const EVP_CIPHER *gcm_of(size_t key_size) {
    return key_size == 16   ? EVP_aes_128_gcm()
           : key_size == 24 ? EVP_aes_192_gcm()
                            : EVP_aes_256_gcm();
}

static const EVP_CIPHER *ctr_of(size_t key_size) {
    return key_size == 16   ? EVP_aes_128_ctr()
           : key_size == 24 ? EVP_aes_192_ctr()
                            : EVP_aes_256_ctr();
}

static bool add_aad(EVP_CIPHER_CTX *context, const stoa_parquet_cipher *cipher,
                    const stoa_parquet_module_place *place) {
    uint8_t suffix[SUFFIX_BYTES_MAX];
    const size_t suffix_size = aad_suffix(place, suffix);
    const stoa_buffer *aad = &cipher->crypto->aad;
    int size;
    return (aad->size == 0 ||
            EVP_CipherUpdate(context, NULL, &size, aad->data, (int)aad->size) == 1) &&
           EVP_CipherUpdate(context, NULL, &size, suffix, (int)suffix_size) == 1;
}

/* One pass in either direction; libcrypto wants somewhere to write to, even of nothing. */
static bool run_gcm(EVP_CIPHER_CTX *context, const stoa_parquet_cipher *cipher,
                    const stoa_parquet_module_place *place, bool encrypts, const uint8_t *nonce,
                    const uint8_t *in, size_t size, uint8_t *out) {
    int done = 0;
    return EVP_CipherInit_ex(context, gcm_of(cipher->key.size), NULL, cipher->key.bytes, nonce,
                             encrypts) == 1 &&
           add_aad(context, cipher, place) &&
           (size == 0 || EVP_CipherUpdate(context, out, &done, in, (int)size) == 1);
}

static bool open_gcm(EVP_CIPHER_CTX *context, const stoa_parquet_cipher *cipher,
                     const stoa_parquet_module_place *place, const uint8_t *nonce,
                     const uint8_t *in, size_t size, const uint8_t *tag, uint8_t *out) {
    uint8_t copy[TAG_BYTES], end[TAG_BYTES];
    int done = 0;
    memcpy(copy, tag, sizeof copy); /* the call below takes no const */
    return run_gcm(context, cipher, place, false, nonce, in, size, out) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, copy) == 1 &&
           EVP_CipherFinal_ex(context, end, &done) == 1;
}

/* The counter begins with 1, behind the nonce. */
static bool open_ctr(EVP_CIPHER_CTX *context, const stoa_parquet_cipher *cipher,
                     const uint8_t *nonce, const uint8_t *in, size_t size, uint8_t *out) {
    uint8_t counter[COUNTER_BYTES] = {[COUNTER_BYTES - 1] = 1};
    int done = 0;
    memcpy(counter, nonce, NONCE_BYTES);
    return EVP_CipherInit_ex(context, ctr_of(cipher->key.size), NULL, cipher->key.bytes, counter,
                             0) == 1 &&
           (size == 0 || EVP_CipherUpdate(context, out, &done, in, (int)size) == 1);
}

static bool is_page_body(stoa_parquet_module module) {
    return module == STOA_PARQUET_MODULE_DATA_PAGE || module == STOA_PARQUET_MODULE_DICTIONARY_PAGE;
}

static stoa_status fail_authentic(stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT,
                     "what is encrypted does not authenticate: the key or the AAD prefix is wrong, "
                     "or bytes were changed or moved");
}

static stoa_status decrypt(const stoa_parquet_cipher *cipher,
                           const stoa_parquet_module_place *place, const uint8_t *module,
                           size_t size, stoa_buffer *out, stoa_error *err) {
    const bool is_ctr = cipher->crypto->is_ctr && is_page_body(place->module);
    const size_t tag_size = is_ctr ? 0 : TAG_BYTES;
    const uint8_t *text = module + NONCE_BYTES;
    const size_t text_size = size - NONCE_BYTES - tag_size;
    stoa_buffer_clear(out);
    STOA_TRY(stoa_buffer_reserve(out, text_size + 1, err));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "libcrypto has no memory for a cipher");
    }
    const bool is_open = is_ctr ? open_ctr(context, cipher, module, text, text_size, out->data)
                                : open_gcm(context, cipher, place, module, text, text_size,
                                           text + text_size, out->data);
    EVP_CIPHER_CTX_free(context);
    out->size = is_open ? text_size : 0;
    return is_open ? STOA_OK : fail_authentic(err);
}

stoa_status stoa_parquet_module_open(const stoa_parquet_cipher *cipher,
                                     const stoa_parquet_module_place *place, const uint8_t *bytes,
                                     size_t size, stoa_buffer *out, size_t *out_used,
                                     stoa_error *err) {
    const bool is_ctr = cipher->crypto->is_ctr && is_page_body(place->module);
    const uint32_t least = is_ctr ? NONCE_BYTES : NONCE_BYTES + TAG_BYTES;
    if (place->group > ORDINAL_MAX || place->column > ORDINAL_MAX || place->page > ORDINAL_MAX) {
        return stoa_fail(err, STOA_CORRUPT,
                         "expected no more than 32768 row groups, columns and pages where they are "
                         "encrypted");
    }
    const uint32_t length = size < STOA_PARQUET_MODULE_LENGTH_BYTES ? 0 : stoa_load_u32(bytes);
    if (length < least || length > INT32_MAX || length > size - STOA_PARQUET_MODULE_LENGTH_BYTES) {
        return stoa_fail(err, STOA_CORRUPT,
                         "expected something encrypted of %" PRIu32 " to %zu bytes but found a "
                         "length of %" PRIu32,
                         least, size, length);
    }
    *out_used = STOA_PARQUET_MODULE_LENGTH_BYTES + (size_t)length;
    return decrypt(cipher, place, bytes + STOA_PARQUET_MODULE_LENGTH_BYTES, length, out, err);
}

stoa_status stoa_parquet_signature_check(const stoa_parquet_cipher *cipher, const uint8_t *footer,
                                         size_t size,
                                         const uint8_t signature[STOA_PARQUET_SIGNATURE_BYTES],
                                         stoa_error *err) {
    static const stoa_parquet_module_place place = {.module = STOA_PARQUET_MODULE_FOOTER};
    uint8_t tag[TAG_BYTES];
    int done = 0;
    stoa_buffer text;
    stoa_buffer_init(&text, cipher->crypto->pool);
    STOA_TRY(stoa_buffer_reserve(&text, size + TAG_BYTES, err));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const bool is_right = context != NULL && size <= INT32_MAX &&
                          run_gcm(context, cipher, &place, true, signature, footer, size,
                                  text.data) &&
                          EVP_CipherFinal_ex(context, text.data + size, &done) == 1 &&
                          EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) ==
                              1 &&
                          CRYPTO_memcmp(tag, signature + NONCE_BYTES, TAG_BYTES) == 0;
    EVP_CIPHER_CTX_free(context);
    stoa_buffer_release(&text);
    return is_right ? STOA_OK
                    : stoa_fail(err, STOA_CORRUPT,
                                "the footer's signature is not that of its bytes: the key or the "
                                "AAD prefix is wrong, or the footer was changed");
}
