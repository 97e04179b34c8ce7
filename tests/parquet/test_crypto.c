/* Encrypted modules that libcrypto made here, and files with keys. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "parquet/crypto.h"
#include "support.h"

enum { KEY_BYTES = 16, NONCE_BYTES = 12 };
static const uint8_t KEY[KEY_BYTES + 1] = "0123456789012345";
static const uint8_t NONCE[NONCE_BYTES + 1] = "twelve bytes";
static const char TEXT[] = "what a page holds";

static const stoa_parquet_algorithm ALGORITHM = {.is_present = true,
                                                 .prefix = (const uint8_t *)"mine",
                                                 .prefix_size = 4,
                                                 .unique = (const uint8_t *)"\1\2\3",
                                                 .unique_size = 3};

static stoa_status ask(void *user, const char *column, const uint8_t *metadata,
                       size_t metadata_size, stoa_parquet_key *out, stoa_error *err) {
    int *count = user;
    (*count)++;
    if (column != NULL && strcmp(column, "unknown") == 0) {
        return stoa_fail(err, STOA_NOT_FOUND, "no such key");
    }
    if (column != NULL && strcmp(column, "short") == 0) {
        out->size = 5;
        return STOA_OK;
    }
    assert_int_equal(metadata_size, 2);
    assert_memory_equal(metadata, "id", 2);
    memcpy(out->bytes, KEY, KEY_BYTES);
    out->size = KEY_BYTES;
    return STOA_OK;
}

/* A module as the format has it: length, nonce, text, tag. Returns its size. */
static size_t seal(const char *aad, size_t aad_size, uint8_t *out) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const size_t text_size = strlen(TEXT);
    const uint32_t length = (uint32_t)(NONCE_BYTES + text_size + 16);
    int size;
    memcpy(out, &length, 4);
    memcpy(out + 4, NONCE, NONCE_BYTES);
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, KEY, NONCE), 1);
    assert_int_equal(EVP_EncryptUpdate(context, NULL, &size, (const uint8_t *)aad, (int)aad_size),
                     1);
    assert_int_equal(EVP_EncryptUpdate(context, out + 16, &size, (const uint8_t *)TEXT,
                                       (int)text_size),
                     1);
    assert_int_equal(EVP_EncryptFinal_ex(context, out + 16 + text_size, &size), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out + 16 + text_size),
                     1);
    EVP_CIPHER_CTX_free(context);
    return 4 + length;
}

/* Row group 2, column 258, page 5. */
static const char AAD[] = "mine\1\2\3\2\2\0\2\1\5\0";
static const stoa_parquet_module_place PLACE = {STOA_PARQUET_MODULE_DATA_PAGE, 2, 258, 5};

static void a_module_opens_in_its_place_only(void **state) {
    stoa_pool *pool = *state;
    stoa_error err = STOA_ERROR_NONE;
    int asked = 0;
    const stoa_parquet_keys keys = {.retrieve = ask, .user = &asked};
    stoa_parquet_crypto *crypto = NULL;
    const stoa_parquet_cipher *cipher = NULL, *again = NULL;
    uint8_t module[128];
    size_t used;
    stoa_buffer out;
    stoa_buffer_init(&out, pool);
    const size_t size = seal(AAD, sizeof AAD - 1, module);
    assert_ok(stoa_parquet_crypto_create(pool, &ALGORITHM, &keys, &crypto, &err), err);
    assert_ok(stoa_parquet_crypto_cipher(crypto, &keys, "a", (const uint8_t *)"id", 2, &cipher,
                                         &err),
              err);
    assert_ok(stoa_parquet_crypto_cipher(crypto, &keys, NULL, (const uint8_t *)"id", 2, &again,
                                         &err),
              err);
    assert_ptr_equal(cipher, again);
    assert_int_equal(asked, 2);

    assert_ok(stoa_parquet_module_open(cipher, &PLACE, module, sizeof module, &out, &used, &err),
              err);
    assert_int_equal(used, size);
    assert_int_equal(out.size, strlen(TEXT));
    assert_memory_equal(out.data, TEXT, out.size);

    stoa_parquet_module_place places[] = {PLACE, PLACE, PLACE, PLACE, PLACE};
    places[0].module = STOA_PARQUET_MODULE_DATA_PAGE_HEADER;
    places[1].group = 3;
    places[2].column = 2;
    places[3].page = 4;
    places[4].page = 40000;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        assert_int_equal(stoa_parquet_module_open(cipher, &places[i], module, size, &out, &used,
                                                  &err),
                         STOA_CORRUPT);
        assert_int_equal(out.size, i < 4 ? 0 : out.size);
    }
    for (size_t at = 0; at < size; at++) {
        module[at] ^= 4;
        assert_int_equal(stoa_parquet_module_open(cipher, &PLACE, module, size, &out, &used, &err),
                         STOA_CORRUPT);
        module[at] ^= 4;
        assert_int_equal(stoa_parquet_module_open(cipher, &PLACE, module, at, &out, &used, &err),
                         STOA_CORRUPT);
    }
    stoa_buffer_release(&out);
    stoa_parquet_crypto_close(crypto);
}

static void keys_that_nobody_has_are_none(void **state) {
    stoa_pool *pool = *state;
    stoa_error err = STOA_ERROR_NONE;
    int asked = 0;
    const stoa_parquet_keys keys = {.retrieve = ask, .user = &asked};
    stoa_parquet_crypto *crypto = NULL;
    const stoa_parquet_cipher *cipher = NULL;
    assert_ok(stoa_parquet_crypto_create(pool, &ALGORITHM, NULL, &crypto, &err), err);
    assert_ok(stoa_parquet_crypto_cipher(crypto, NULL, NULL, NULL, 0, &cipher, &err), err);
    assert_null(cipher);
    assert_ok(stoa_parquet_crypto_cipher(crypto, &keys, "unknown", NULL, 0, &cipher, &err), err);
    assert_null(cipher);
    assert_int_equal(stoa_parquet_crypto_cipher(crypto, &keys, "short", NULL, 0, &cipher, &err),
                     STOA_INVALID);
    assert_non_null(strstr(err.message, "5"));
    stoa_parquet_crypto_close(crypto);

    const stoa_parquet_keys other = {.aad_prefix = (const uint8_t *)"his", .aad_prefix_size = 3};
    assert_int_equal(stoa_parquet_crypto_create(pool, &ALGORITHM, &other, &crypto, &err),
                     STOA_INVALID);
    stoa_parquet_algorithm supplied = ALGORITHM;
    supplied.prefix_size = 0;
    supplied.supplies_prefix = true;
    assert_int_equal(stoa_parquet_crypto_create(pool, &supplied, NULL, &crypto, &err),
                     STOA_INVALID);
    assert_non_null(strstr(err.message, "AAD prefix"));
    assert_ok(stoa_parquet_crypto_create(pool, &supplied, &other, &crypto, &err), err);
    stoa_parquet_crypto_close(crypto);
}

/* ---- Files with keys ------------------------------------------------------------------------- */

static stoa_status text_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = strlen(state);
    return STOA_OK;
}

static stoa_status text_read(void *state, uint64_t offset, void *buffer, size_t size,
                             size_t *out_size, stoa_error *err) {
    (void)err;
    const size_t left = strlen(state) - (size_t)offset;
    *out_size = size < left ? size : left;
    memcpy(buffer, (const char *)state + offset, *out_size);
    return STOA_OK;
}

static stoa_status read_text(stoa_pool *pool, const char *text, stoa_parquet_key_file *out,
                             stoa_error *err) {
    static const stoa_file_operations operations = {.size = text_size, .read_at = text_read};
    char uri[] = "keys", copy[512];
    (void)snprintf(copy, sizeof copy, "%s", text);
    stoa_file file = {.operations = &operations, .state = copy, .pool = pool, .uri = uri};
    return stoa_parquet_key_file_read(pool, &file, out, err);
}

#define HEX "000102030405060708090a0B0C0D0E0F"

static void a_file_with_keys_is_read(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_key_file file;
    assert_ok(read_text(*state,
                        "# ours\n\nfooter " HEX HEX "\r\n  column a.b c  " HEX "\nid kf " HEX
                        "\nid kg " HEX HEX "\naad-prefix some words ",
                        &file, &err),
              err);
    assert_int_equal(file.keys.footer.size, 32);
    assert_int_equal(file.keys.column_count, 1);
    assert_string_equal(file.keys.columns[0].name, "a.b c");
    assert_int_equal(file.keys.columns[0].key.size, 16);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(file.keys.columns[0].key.bytes[i], i);
    }
    assert_int_equal(file.keys.id_count, 2);
    assert_string_equal(file.keys.ids[1].name, "kg");
    assert_int_equal(file.keys.ids[1].key.size, 32);
    assert_int_equal(file.keys.aad_prefix_size, 10);
    assert_memory_equal(file.keys.aad_prefix, "some words", 10);
    stoa_parquet_key_file_release(&file);
    assert_int_equal(file.keys.footer.size, 0);
    stoa_parquet_key_file_release(&file);
}

static void what_is_no_key_is_refused_without_telling_it(void **state) {
    static const char *const texts[] = {"footer 00112233",
                                        "footer",
                                        "foot " HEX,
                                        "column " HEX,
                                        "id " HEX,
                                        "column a 0g" HEX,
                                        "column a " HEX "0",
                                        "\n\nfooter " HEX " " HEX,
                                        HEX};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_parquet_key_file file;
        assert_int_equal(read_text(*state, texts[i], &file, &err), STOA_INVALID);
        assert_non_null(strstr(err.message, i == 7 ? "line 3" : "line 1"));
        assert_null(strstr(err.message, "0011"));
        assert_null(strstr(err.message, "0102"));
    }
}

static int begin(void **state) {
    *state = support_pool_open();
    return 0;
}

static int end(void **state) {
    support_pool_close(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_module_opens_in_its_place_only, begin, end),
        cmocka_unit_test_setup_teardown(keys_that_nobody_has_are_none, begin, end),
        cmocka_unit_test_setup_teardown(a_file_with_keys_is_read, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_key_is_refused_without_telling_it, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
