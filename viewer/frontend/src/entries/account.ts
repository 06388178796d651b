// Sign-in works without a script; this brings only its style.
import "../styles/account.css";
