"""An ordered map over tasks: in this process, by a pool of processes, or by Ray on machines."""
