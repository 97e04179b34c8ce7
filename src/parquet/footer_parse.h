/* One parse of a footer: what its files share. */
#ifndef STOA_PARQUET_FOOTER_PARSE_H
#define STOA_PARQUET_FOOTER_PARSE_H

#include "parquet/footer.h"
#include "parquet/thrift_reader.h"

/* The reader, the footer with its arena, and the first failure of the latter. */
typedef struct stoa_footer_parse {
    stoa_thrift_reader reader;
    stoa_parquet_footer *footer;
    stoa_status status;
    stoa_error *err;
} stoa_footer_parse;

/// `count` zeroed elements of `size` bytes from the footer's arena; NULL after a failure, which the
/// reader then has too.
void *stoa_footer_take_memory(stoa_footer_parse *parse, size_t count, size_t size);

/// A copy in the footer's arena, with a NUL after it; `out_size` may be NULL.
const char *stoa_footer_read_text(stoa_footer_parse *parse, stoa_thrift_type type,
                                  size_t *out_size);

/// Fields of ColumnMetaData, of RowGroup and of FileMetaData, each of the type that was found.
void stoa_footer_read_statistics(stoa_footer_parse *parse, stoa_parquet_column *out);
/// Forgets bounds that mean nothing for a leaf of `element`.
void stoa_footer_settle_statistics(const stoa_parquet_element *element,
                                   stoa_parquet_column *column);
void stoa_footer_read_encodings(stoa_footer_parse *parse, stoa_thrift_type type,
                                stoa_parquet_column *out);
/// Any other field: what is known is read, the rest skipped; so is a field that has another type than
/// the format's, since forks of writers put things of their own there.
void stoa_footer_read_extra(stoa_footer_parse *parse, int16_t id, stoa_thrift_type type,
                            stoa_parquet_column *out);
void stoa_footer_read_sorting(stoa_footer_parse *parse, stoa_thrift_type type,
                              stoa_parquet_group *out);
void stoa_footer_read_orders(stoa_footer_parse *parse, stoa_thrift_type type);
void stoa_footer_read_pairs(stoa_footer_parse *parse, stoa_thrift_type type,
                            const stoa_parquet_pair **out, int32_t *out_count);

/// The fields of ColumnMetaData, and whether the chunk lies within the file.
void stoa_footer_read_column_metadata(stoa_footer_parse *parse, stoa_parquet_column *out);
void stoa_footer_check_column(stoa_footer_parse *parse, stoa_parquet_column *out);

/// How the file is encrypted: EncryptionAlgorithm, key metadata of the footer, crypto metadata of a
/// column and its encrypted metadata.
void stoa_footer_read_algorithm(stoa_footer_parse *parse, stoa_thrift_type type);
void stoa_footer_read_key_metadata(stoa_footer_parse *parse, stoa_thrift_type type);
void stoa_footer_read_column_crypto(stoa_footer_parse *parse, stoa_thrift_type type,
                                    stoa_parquet_column *out);
void stoa_footer_read_sealed(stoa_footer_parse *parse, stoa_thrift_type type,
                             stoa_parquet_column *out);

/// Replaces the bytes of an encrypted footer by what they say.
STOA_MUST_USE stoa_status stoa_footer_open_sealed(const stoa_context *context,
                                                  stoa_parquet_footer *footer,
                                                  const stoa_parquet_keys *keys,
                                                  stoa_buffer *bytes, stoa_error *err);
/// Of a parsed footer, `used` bytes of `size`: its signature, then the metadata of its columns.
STOA_MUST_USE stoa_status stoa_footer_unlock(const stoa_context *context,
                                             stoa_parquet_footer *footer,
                                             const stoa_parquet_keys *keys, const uint8_t *bytes,
                                             size_t size, size_t used, stoa_error *err);

#endif
