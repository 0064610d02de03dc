"""What Theano 1.0.5's setup.py misses since Python 3.12. On the path of pip only while tools/setup.sh builds it."""
import configparser

if not hasattr(configparser, 'SafeConfigParser'):
    configparser.SafeConfigParser = configparser.RawConfigParser
    configparser.RawConfigParser.readfp = configparser.RawConfigParser.read_file
