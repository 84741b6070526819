import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.temporal.internal.testservice.GRPCServerHelper;
import io.temporal.internal.testservice.TestServicesStarter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;

/**
 * Temporal's time-skipping test server on a port of loopback; its own main would listen on every address. Time skips
 * from the start, whenever no workflow task and no activity is under way.
 */
public final class TestServer {
  private static final int LARGEST_MESSAGE = 64 * 1024 * 1024;

  public static void main(String[] args) throws Exception {
    if (args[0].equals("--version")) {
      System.out.println(TestServicesStarter.class.getPackage().getImplementationVersion());
      return;
    }
    InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0]));
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(address)
            .maxInboundMessageSize(LARGEST_MESSAGE)
            // Workers ping more often than it would bear by default, and be cut off.
            .permitKeepAliveTime(1, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true);
    GRPCServerHelper.registerServicesAndHealthChecks(new TestServicesStarter(false, 0).getServices(), builder);
    builder.build().start().awaitTermination();
  }
}
