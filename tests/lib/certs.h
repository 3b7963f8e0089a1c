/* certs.h - certificates made on the spot, as PEM files in a directory of their own.
 *
 *     struct test_certs certs;
 *     test_certs_begin(&certs);                                    makes the directory and the CA: ca.crt, ca.key
 *     test_certs_make(&certs, &(struct test_cert){ .name = "server", .names = "DNS:localhost,IP:127.0.0.1" });
 *     ... test_certs_path(&certs, "server.crt") ... test_certs_path(&certs, "server.key") ...
 *     test_certs_end(&certs);                                      removes it all
 *
 * Any failure is a broken set-up, and aborts with a line that says which step it was. */
#ifndef SWALE_TEST_CERTS_H
#define SWALE_TEST_CERTS_H

#include <stdbool.h>
#include <stddef.h>

struct test_cert {
    const char *name;   /* NAME.crt and NAME.key; one that exists is replaced */
    const char *issuer; /* another's name; NULL is "ca"; its own name makes it self-signed */
    const char *names;  /* subjectAltName as OpenSSL writes it: "DNS:a.example,DNS:*.b.example,IP:::1"; or NULL */
    const char *common_name; /* NULL: none */
    size_t common_name_size; /* 0: it is a C string; else it may hold any bytes */
    const char *second_common_name;
    const char *organization;
    bool ca;       /* may issue others */
    bool expired;  /* since an hour */
    bool client;   /* for clients only (extended key usage) */
    bool weak_key; /* RSA of 1024 bits; the others are P-256 */
};

struct test_certs {
    char directory[256];
    char path[16][384];
    unsigned next_path;
};

void test_certs_begin(struct test_certs *certs);
void test_certs_make(struct test_certs *certs, const struct test_cert *cert);
void test_certs_end(struct test_certs *certs);

/* The path of a file in the directory. Lasts until the sixteenth call from now. */
const char *test_certs_path(struct test_certs *certs, const char *file);

/* Writes any text as a file there. */
void test_certs_write(struct test_certs *certs, const char *file, const char *text);

#endif
