// Pem.java - the tests' certificates, which are files in PEM, as Java wants them.

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

final class Pem {
    static final String PASSWORD = "of no use";

    private static Certificate certificate(String file) throws Exception {
        try (InputStream input = Files.newInputStream(Path.of(file))) {
            return CertificateFactory.getInstance("X.509").generateCertificate(input);
        }
    }

    private static KeyStore empty() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    // What a server shows.
    static KeyStore identity(String certificate, String key) throws Exception {
        String text = Files.readString(Path.of(key)).replaceAll("-----[^-]+-----", "");
        PKCS8EncodedKeySpec encoded = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(text));
        PrivateKey secret = KeyFactory.getInstance("EC").generatePrivate(encoded);
        KeyStore store = empty();
        store.setKeyEntry("server", secret, PASSWORD.toCharArray(), new Certificate[] { certificate(certificate) });
        return store;
    }

    // A client's context, which trusts this certificate and no other.
    static SSLContext trusting(String certificate) throws Exception {
        KeyStore store = empty();
        store.setCertificateEntry("server", certificate(certificate));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
