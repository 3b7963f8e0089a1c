/* address.h - socket addresses and their text, with no name resolution.
 *
 *     127.0.0.1:80    [::1]:80    localhost:80 (the IPv4 loopback)    unix:/run/app.sock
 *     :80             every address, IPv6 and IPv4 (for listening only)
 */
#ifndef SWALE_IO_ADDRESS_H
#define SWALE_IO_ADDRESS_H

#include <swale/base.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct swale__address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
    };
    socklen_t size;
    bool everywhere; /* ":80": v6 holds the unspecified address, which stands for IPv4's, too */
};

/* Text of any address, with its terminator: "unix:" and a path is the longest. */
enum { SWALE__ADDRESS_TEXT_MAX = 5 + sizeof(((struct sockaddr_un *)0)->sun_path) + 1 };

/* SWALE_ERR_ADDRESS for all that is not one of the forms above, and for port 0 or ":80" when not `listening`. */
int swale__address_parse(struct swale__address *address, const char *text, bool listening);

/* In the forms that parse takes; an IPv4 address mapped into IPv6 comes out as IPv4. */
void swale__address_format(const struct swale__address *address, char text[SWALE__ADDRESS_TEXT_MAX]);

/* The text of a bare IP address of 16 bytes (IPv4 mapped), as format gives it but for brackets and port. */
void swale__address_format_ip(const struct in6_addr *ip, char text[INET6_ADDRSTRLEN]);

/* The way back: "192.0.2.1" or "2001:db8::1", in that form. False for everything else, a name too. */
bool swale__address_parse_ip(struct swale_span text, struct in6_addr *ip);

/* The IP address in that form, and the port; false for a unix address, which has neither. */
bool swale__address_ip(const struct swale__address *address, struct in6_addr *ip, uint16_t *port);

#endif
