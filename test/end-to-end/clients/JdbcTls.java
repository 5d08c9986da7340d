import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;

/** One connection, as strict as the driver can be. args: url, user, password. */
public final class JdbcTls {
  public static void main(String[] args) throws Exception {
    try (Connection connection = DriverManager.getConnection(args[0], args[1], args[2]);
        ResultSet rows = connection.createStatement().executeQuery("select true")) {
      rows.next();
      System.out.println("TLSv1.3 or so: " + rows.getBoolean(1));
    }
  }
}
