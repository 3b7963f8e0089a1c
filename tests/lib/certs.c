#include "certs.h"

#include "directory.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MUST(good) must((good), #good)

static void must(bool good, const char *step)
{
    if (good)
        return;
    fprintf(stderr, "certs: failed: %s\n", step);
    abort();
}

const char *test_certs_path(struct test_certs *certs, const char *file)
{
    char *path = certs->path[certs->next_path++ % 16];
    char joined[sizeof certs->path[0]];
    MUST(snprintf(joined, sizeof joined, "%s/%s", certs->directory, file) < (int)sizeof joined);
    memcpy(path, joined, sizeof joined);
    return path;
}

void test_certs_write(struct test_certs *certs, const char *file, const char *text)
{
    FILE *out = fopen(test_certs_path(certs, file), "w");
    MUST(out != NULL);
    MUST(fputs(text, out) >= 0);
    MUST(fclose(out) == 0);
}

static FILE *open_named(struct test_certs *certs, const char *name, const char *ending, const char *mode)
{
    char file[128];
    snprintf(file, sizeof file, "%s.%s", name, ending);
    FILE *stream = fopen(test_certs_path(certs, file), mode);
    MUST(stream != NULL);
    return stream;
}

static EVP_PKEY *read_key(struct test_certs *certs, const char *name)
{
    FILE *in = open_named(certs, name, "key", "r");
    EVP_PKEY *key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
    fclose(in);
    MUST(key != NULL);
    return key;
}

static X509 *read_certificate(struct test_certs *certs, const char *name)
{
    FILE *in = open_named(certs, name, "crt", "r");
    X509 *certificate = PEM_read_X509(in, NULL, NULL, NULL);
    fclose(in);
    MUST(certificate != NULL);
    return certificate;
}

static void add_name(X509_NAME *subject, const char *field, const char *text, size_t size)
{
    if (text)
        MUST(
            X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, (const unsigned char *)text, (int)size, -1, 0));
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    MUST(extension != NULL);
    MUST(X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

static void fill(X509 *certificate, const struct test_cert *cert)
{
    uint64_t serial;
    MUST(RAND_bytes((unsigned char *)&serial, sizeof serial) == 1);
    MUST(X509_set_version(certificate, X509_VERSION_3));
    MUST(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1));
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), cert->expired ? -3600 : 86400L * 30);
    X509_NAME *subject = X509_get_subject_name(certificate);
    add_name(subject, "O", cert->organization, cert->organization ? strlen(cert->organization) : 0);
    size_t size = cert->common_name_size;
    if (cert->common_name && size == 0)
        size = strlen(cert->common_name);
    add_name(subject, "CN", cert->common_name, size);
    add_name(subject, "CN", cert->second_common_name,
             cert->second_common_name ? strlen(cert->second_common_name) : 0);
}

static void extend(X509 *certificate, X509 *issuer, const struct test_cert *cert)
{
    add_extension(certificate, issuer, NID_basic_constraints, cert->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!cert->ca)
        add_extension(certificate, issuer, NID_ext_key_usage, cert->client ? "clientAuth" : "serverAuth");
    if (cert->names)
        add_extension(certificate, issuer, NID_subject_alt_name, cert->names);
}

void test_certs_make(struct test_certs *certs, const struct test_cert *cert)
{
    const char *issuer_name = cert->issuer ? cert->issuer : "ca";
    bool self_signed = strcmp(issuer_name, cert->name) == 0;
    EVP_PKEY *key = cert->weak_key ? EVP_RSA_gen(1024) : EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    MUST(key != NULL && certificate != NULL);
    EVP_PKEY *issuer_key = self_signed ? NULL : read_key(certs, issuer_name);
    X509 *issuer = self_signed ? NULL : read_certificate(certs, issuer_name);

    fill(certificate, cert);
    MUST(X509_set_pubkey(certificate, key));
    MUST(X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate)));
    extend(certificate, issuer ? issuer : certificate, cert);
    MUST(X509_sign(certificate, issuer_key ? issuer_key : key, EVP_sha256()) > 0);

    FILE *out = open_named(certs, cert->name, "crt", "w");
    MUST(PEM_write_X509(out, certificate));
    MUST(fclose(out) == 0);
    out = open_named(certs, cert->name, "key", "w");
    MUST(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL));
    MUST(fclose(out) == 0);
    X509_free(certificate);
    X509_free(issuer);
    EVP_PKEY_free(issuer_key);
    EVP_PKEY_free(key);
}

void test_certs_begin(struct test_certs *certs)
{
    memset(certs, 0, sizeof *certs);
    test_directory(certs->directory, sizeof certs->directory);
    test_certs_make(certs, &(struct test_cert){ .name = "ca", .issuer = "ca", .common_name = "Test CA", .ca = true });
}

void test_certs_end(struct test_certs *certs)
{
    DIR *directory = opendir(certs->directory);
    MUST(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        if (entry->d_name[0] != '.')
            unlink(test_certs_path(certs, entry->d_name));
    closedir(directory);
    MUST(rmdir(certs->directory) == 0);
}
