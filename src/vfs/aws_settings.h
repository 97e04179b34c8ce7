/* Where the tools of AWS keep credentials and settings, and what they say for one profile: the
 * environment, ~/.aws/config and ~/.aws/credentials. See aws_settings.c. */
#ifndef STOA_VFS_AWS_SETTINGS_H
#define STOA_VFS_AWS_SETTINGS_H

#include <stoa/s3.h>

#include "mem/pool.h"

/// All-zero is the released state. Texts are from `pool`, NULL where nothing is said.
typedef struct stoa_aws_settings {
    stoa_pool *pool;
    char *access_key_id; /* NULL with `is_anonymous` only */
    char *secret_access_key;
    char *session_token;
    char *region;   /* never NULL */
    char *endpoint; /* "http://host:port" without a '/' at its end; NULL: AWS's own */
    char *ca_file;
    int32_t max_attempts;
    bool is_anonymous;
    stoa_s3_addressing addressing;
} stoa_aws_settings;

/// Gathers what `options` (nullable), the environment and the files say, in this order.
///
/// Errors   STOA_INVALID    a setting is not what it should be, there are no credentials (the
///                          message names where they were looked for), or a profile was asked for
///                          by name and is nowhere
///          STOA_UNSUPPORTED  the profile gets its credentials in a way that is not offered
///          STOA_IO         a file cannot be read
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_aws_settings_load(stoa_pool *pool, const stoa_s3_options *options,
                                                 stoa_aws_settings *out, stoa_error *err);
/// Secrets are overwritten before their memory is given back.
void stoa_aws_settings_release(stoa_aws_settings *settings);
/// Overwrites a text from stoa_pool_copy_string and gives it back. NULL is allowed.
void stoa_aws_secret_free(stoa_pool *pool, char *text);

/// One setting of a configuration file. `section` is what stands in the brackets; a nested one
/// ("s3 =" and an indented "addressing_style = path") has the key "s3.addressing_style". Texts hold
/// no NUL after `*_size` bytes. Return false to stop.
typedef bool (*stoa_aws_ini_function)(void *user, const char *section, size_t section_size,
                                      const char *key, size_t key_size, const char *value,
                                      size_t value_size);
/// Reads the text of a configuration or credentials file. What is no setting is passed over, as the
/// tools of AWS do. A section is told once with an empty key, so that an empty one is seen.
void stoa_aws_ini_read(const char *text, size_t size, stoa_aws_ini_function function, void *user);

#endif
