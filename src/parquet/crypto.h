/* Reading files that are encrypted module by module: the footer, metadata of columns, headers and
 * bodies of pages, indexes and bloom filters each are one AES-GCM (bodies of pages perhaps AES-CTR)
 * message, bound to their place in the file by what is authenticated beside them.
 *
 * Source   Apache Parquet format 2.11, "Encryption.md" */
#ifndef STOA_PARQUET_CRYPTO_H
#define STOA_PARQUET_CRYPTO_H

#include <stoa/context.h>

#include "mem/buffer.h"
#include "vfs/vfs.h"

enum { STOA_PARQUET_KEY_BYTES_MAX = 32 };

/// An AES key of 16, 24 or 32 bytes; `size` 0: none.
typedef struct stoa_parquet_key {
    uint8_t bytes[STOA_PARQUET_KEY_BYTES_MAX];
    size_t size;
} stoa_parquet_key;

/// A key that goes by a name: the path of a column with dots, or the metadata that files keep with
/// their keys to say which one it is.
typedef struct stoa_parquet_named_key {
    const char *name;
    stoa_parquet_key key;
} stoa_parquet_named_key;

/// Whence keys come. All-zero: there are none. A key is looked for by column, then by metadata, then
/// the retriever is asked; the keys in use are copied, and wiped with the footer.
typedef struct stoa_parquet_keys {
    stoa_parquet_key footer;
    const stoa_parquet_named_key *columns;
    int32_t column_count;
    const stoa_parquet_named_key *ids;
    int32_t id_count;
    /// `column` is NULL for the footer's key. Answers STOA_NOT_FOUND for a key that it does not have:
    /// the column stays locked. Asked by the thread that opens the file.
    stoa_status (*retrieve)(void *user, const char *column, const uint8_t *metadata,
                            size_t metadata_size, stoa_parquet_key *out, stoa_error *err);
    void *user;
    const uint8_t *aad_prefix; /* of files that do not store it; with others it must be theirs */
    size_t aad_prefix_size;
} stoa_parquet_keys;

/// What can be encrypted; the numbers are the format's.
typedef enum stoa_parquet_module {
    STOA_PARQUET_MODULE_FOOTER = 0,
    STOA_PARQUET_MODULE_COLUMN_METADATA = 1,
    STOA_PARQUET_MODULE_DATA_PAGE = 2,
    STOA_PARQUET_MODULE_DICTIONARY_PAGE = 3,
    STOA_PARQUET_MODULE_DATA_PAGE_HEADER = 4,
    STOA_PARQUET_MODULE_DICTIONARY_PAGE_HEADER = 5,
    STOA_PARQUET_MODULE_COLUMN_INDEX = 6,
    STOA_PARQUET_MODULE_OFFSET_INDEX = 7,
    STOA_PARQUET_MODULE_BLOOM_FILTER_HEADER = 8,
    STOA_PARQUET_MODULE_BLOOM_FILTER_BITSET = 9
} stoa_parquet_module;

/// Where in its file a module stands. `page` counts the chunk's data pages.
typedef struct stoa_parquet_module_place {
    stoa_parquet_module module;
    int32_t group;
    int32_t column;
    int32_t page;
} stoa_parquet_module_place;

/// How a file is encrypted, from its footer.
typedef struct stoa_parquet_algorithm {
    bool is_present;
    bool is_ctr;          /* bodies of pages are AES-CTR, which authenticates nothing */
    bool supplies_prefix; /* the AAD's prefix is not in the file */
    const uint8_t *prefix;
    size_t prefix_size;
    const uint8_t *unique; /* the file's own part of the AAD */
    size_t unique_size;
} stoa_parquet_algorithm;

/// The keys of one open file, with what its modules are bound to.
typedef struct stoa_parquet_crypto stoa_parquet_crypto;
/// One of the keys.
typedef struct stoa_parquet_cipher stoa_parquet_cipher;

enum {
    STOA_PARQUET_MODULE_LENGTH_BYTES = 4,
    STOA_PARQUET_SIGNATURE_BYTES = 28,
    STOA_PARQUET_GCM_BYTES = 32 /* that a module is longer than what is in it */
};

/// Errors   STOA_INVALID  an AAD prefix that the file needs is missing, or is not the file's
/// Owns     The caller closes `*out`, which copies what it needs.
STOA_MUST_USE stoa_status stoa_parquet_crypto_create(stoa_pool *pool,
                                                     const stoa_parquet_algorithm *algorithm,
                                                     const stoa_parquet_keys *keys,
                                                     stoa_parquet_crypto **out, stoa_error *err);
/// Wipes the keys. NULL is allowed.
void stoa_parquet_crypto_close(stoa_parquet_crypto *crypto);

/// The cipher of a column (NULL: of the footer). `*out` is NULL where there is no key for it.
///
/// Errors   STOA_INVALID  a key whose size is none of AES's; whatever the retriever says
/// Owns     The crypto, until it is closed.
STOA_MUST_USE stoa_status stoa_parquet_crypto_cipher(stoa_parquet_crypto *crypto,
                                                     const stoa_parquet_keys *keys,
                                                     const char *column, const uint8_t *metadata,
                                                     size_t metadata_size,
                                                     const stoa_parquet_cipher **out,
                                                     stoa_error *err);

/// Decrypts the module at the beginning of `bytes` into `out`, in place of what it held. `*out_used`
/// are the bytes of the module, its length included.
///
/// Memory   no more than `size`
/// Errors   STOA_CORRUPT  a length beyond `size`; a wrong key, a changed byte or another place, which
///                        cannot be told apart (an AES-CTR page's body tells nothing)
/// Threads  Any number at a time for one cipher.
STOA_MUST_USE stoa_status stoa_parquet_module_open(const stoa_parquet_cipher *cipher,
                                                   const stoa_parquet_module_place *place,
                                                   const uint8_t *bytes, size_t size,
                                                   stoa_buffer *out, size_t *out_used,
                                                   stoa_error *err);

/// Compares the signature behind a footer that is not encrypted: a nonce and a tag.
///
/// Errors   STOA_CORRUPT
STOA_MUST_USE stoa_status stoa_parquet_signature_check(
    const stoa_parquet_cipher *cipher, const uint8_t *footer, size_t size,
    const uint8_t signature[STOA_PARQUET_SIGNATURE_BYTES], stoa_error *err);

/// The keys of a text file, for commands, which take no secrets among their words. A line holds
/// `footer HEX`, `column PATH HEX`, `id TEXT HEX` or `aad-prefix TEXT`; lines that are empty or begin
/// with '#' are passed over.
///
/// Errors   STOA_INVALID  with the line's number, never with what it holds
///          STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
/// Owns     The caller gives `out` to stoa_parquet_key_file_release, which wipes it.
typedef struct stoa_parquet_key_file {
    stoa_parquet_keys keys; /* its texts lie in `bytes` */
    stoa_buffer bytes;
    stoa_buffer columns;
    stoa_buffer ids;
} stoa_parquet_key_file;

STOA_MUST_USE stoa_status stoa_parquet_key_file_read(stoa_pool *pool, stoa_file *file,
                                                     stoa_parquet_key_file *out, stoa_error *err);
void stoa_parquet_key_file_release(stoa_parquet_key_file *file);

#endif
