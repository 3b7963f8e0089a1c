// TomcatServer.java - Debian's Tomcat 9 (the Java WebSocket API) as a server for the tests of the client: see peers.py.

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.websocket.CloseReason;
import javax.websocket.Endpoint;
import javax.websocket.EndpointConfig;
import javax.websocket.MessageHandler;
import javax.websocket.PongMessage;
import javax.websocket.RemoteEndpoint;
import javax.websocket.Session;
import javax.websocket.server.ServerContainer;
import javax.websocket.server.ServerEndpointConfig;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.apache.tomcat.websocket.server.WsSci;

public class TomcatServer {
    static final int LARGEST = 4 << 20;

    public static class Echo extends Endpoint {
        private Session session;
        private RemoteEndpoint.Basic remote;

        @Override
        public void onOpen(Session opened, EndpointConfig config) {
            session = opened;
            remote = session.getBasicRemote();
            session.setMaxTextMessageBufferSize(LARGEST);
            session.setMaxBinaryMessageBufferSize(LARGEST);
            session.addMessageHandler(String.class, message -> trying(() -> onText(message)));
            session.addMessageHandler(ByteBuffer.class, message -> trying(() -> remote.sendBinary(message)));
            session.addMessageHandler(PongMessage.class, pong -> trying(
                () -> remote.sendText("pong " + StandardCharsets.UTF_8.decode(pong.getApplicationData()))));
        }

        private void onText(String message) throws IOException {
            String[] words = message.split(" ", 3);
            switch (words[0]) {
            case "swale:close" -> {
                int code = Integer.parseInt(words[1]);
                session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(code), words[2]));
            }
            case "swale:ping" -> remote.sendPing(ByteBuffer.wrap(words[1].getBytes(StandardCharsets.UTF_8)));
            case "swale:fragments" -> {
                for (String part : new String[] { "one ", "", "two €" })
                    remote.sendText(part, false);
                remote.sendText(" three", true);
            }
            default -> remote.sendText(message);
            }
        }

        @Override
        public void onClose(Session closed, CloseReason reason) {
            String text = reason.getReasonPhrase();
            System.out.println("closed " + reason.getCloseCode().getCode() + " " + (text == null ? "" : text));
        }

        @Override
        public void onError(Session broken, Throwable error) {
            System.out.println("error " + error);
        }

        private interface Action {
            void run() throws IOException;
        }

        private static void trying(Action action) {
            try {
                action.run();
            } catch (IOException error) {
                System.out.println("error " + error);
            }
        }
    }

    private static void secure(Connector connector, String certificate, String key) {
        SSLHostConfig host = new SSLHostConfig();
        SSLHostConfigCertificate shown =
            new SSLHostConfigCertificate(host, SSLHostConfigCertificate.Type.EC);
        shown.setCertificateFile(certificate);
        shown.setCertificateKeyFile(key);
        host.addCertificate(shown);
        connector.addSslHostConfig(host);
        connector.setSecure(true);
        connector.setScheme("https");
        connector.setProperty("SSLEnabled", "true");
    }

    public static void main(String[] arguments) throws Exception {
        Logger.getLogger("").setLevel(Level.WARNING);
        Tomcat server = new Tomcat();
        server.setBaseDir(arguments[1]);
        Connector connector = new Connector();
        connector.setProperty("address", "127.0.0.1");
        connector.setPort(Integer.parseInt(arguments[0]));
        if (arguments.length > 2)
            secure(connector, arguments[2], arguments[3]);
        server.setConnector(connector);
        Context context = server.addContext("", arguments[1]);
        context.addServletContainerInitializer(new WsSci(), null);
        Tomcat.addServlet(context, "default", new org.apache.catalina.servlets.DefaultServlet());
        context.addServletMappingDecoded("/", "default");
        context.addServletContainerInitializer((classes, servlets) -> {
            try {
                ((ServerContainer) servlets.getAttribute("javax.websocket.server.ServerContainer")).addEndpoint(
                    ServerEndpointConfig.Builder.create(Echo.class, "/echo").subprotocols(List.of("second")).build());
            } catch (javax.websocket.DeploymentException error) {
                throw new javax.servlet.ServletException(error);
            }
        }, null);
        server.start();
        System.out.println("listening " + connector.getLocalPort());
        server.getServer().await();
    }
}
