/* key.c - Sec-WebSocket-Key and Sec-WebSocket-Accept (RFC 6455 sections 4.1 and 4.2.2). */
/* EVP looks the digest up anew for each message, which costs more than the digest of one so short: 5400 instructions
 * in all, of an opening handshake's 21000, instead of 2000. The functions below it are said to be deprecated. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "proto/key.h"
#include "proto/token.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

static bool base64_char(char c)
{
    char lower = swale__lower(c);
    return (lower >= 'a' && lower <= 'z') || swale__is(c, SWALE__DIGIT) || c == '+' || c == '/';
}

bool swale__key_valid(struct swale_span key)
{
    if (key.size != SWALE_KEY_SIZE || key.data[22] != '=' || key.data[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!base64_char(key.data[i]))
            return false;
    return true;
}

void swale_upgrade_key(const unsigned char random[16], char key[SWALE_KEY_SIZE])
{
    unsigned char text[SWALE_KEY_SIZE + 1]; /* EVP_EncodeBlock terminates */
    EVP_EncodeBlock(text, random, 16);
    memcpy(key, text, SWALE_KEY_SIZE);
}

/* SHA-1 is no secret here and no signature: it shows that the server has read this very request as one for a
 * WebSocket. Should the library be unable to compute it, the accept value is that of a zero digest, which no
 * client takes. */
void swale_upgrade_accept(const char key[SWALE_KEY_SIZE], char accept[SWALE_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char joined[SWALE_KEY_SIZE + sizeof guid - 1];
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA_CTX sha;
    unsigned char text[SWALE_ACCEPT_SIZE + 1];
    memcpy(joined, key, SWALE_KEY_SIZE);
    memcpy(joined + SWALE_KEY_SIZE, guid, sizeof guid - 1);
    if (SHA1_Init(&sha) != 1 || SHA1_Update(&sha, joined, sizeof joined) != 1 || SHA1_Final(digest, &sha) != 1)
        memset(digest, 0, sizeof digest);
    EVP_EncodeBlock(text, digest, sizeof digest);
    memcpy(accept, text, SWALE_ACCEPT_SIZE);
}
